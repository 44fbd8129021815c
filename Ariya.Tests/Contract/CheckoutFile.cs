using System.Reflection;

namespace Ariya.Tests.Contract;

/// <summary>Files of the checkout that these tests were built from.</summary>
internal static class CheckoutFile
{
    public static string PathOf(string relative) => Path.Combine(
        typeof(CheckoutFile).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(entry => entry.Key == "checkoutdirectory").Value!,
        relative);

    public static string Read(string relative) => File.ReadAllText(PathOf(relative));
}
