using System.Reflection;

namespace Ariya.Hosting.Local.Servers;

/// <summary>The source folder this library was built from: the pinned servers are listed there and kept below `.data`.</summary>
internal static class Checkout
{
    public static string Folder { get; } = typeof(Checkout).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .First(attribute => attribute.Key == "checkoutdirectory").Value!.TrimEnd('/');

    public static string ServersFolder { get; } = Path.Combine(Folder, ".data", "servers");
}
