using System.Diagnostics;
using System.Reflection;

namespace Ariya.Tests.Distributed;

[Collection(RunningAriyaTests.Name)]
public sealed class ReadmeJourneyTests(RunningAriya ariya)
{
    [Fact]
    public async Task TheWalkInTheReadmeRunsAsPrinted()
    {
        var start = new ProcessStartInfo("/bin/sh", ["-eu"]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["API"] = ariya.Api.BaseAddress!.ToString().TrimEnd('/');
        start.Environment["MAILDEV"] = ariya.MailDev.BaseAddress!.ToString().TrimEnd('/');
        using var shell = Process.Start(start)!;
        await shell.StandardInput.WriteAsync(Journey());
        shell.StandardInput.Close();
        var output = await shell.StandardOutput.ReadToEndAsync();
        var errors = await shell.StandardError.ReadToEndAsync();
        await shell.WaitForExitAsync();

        Assert.True(shell.ExitCode == 0, $"exit code {shell.ExitCode}\n{output}\n{errors}");
        Assert.Contains("<h1>Your address is confirmed</h1>", output, StringComparison.Ordinal);
        Assert.Contains("\"emailVerified\":true", output, StringComparison.Ordinal);
    }

    // The block between <!-- journey --> and the end of its fence.
    private static string Journey()
    {
        var readme = File.ReadAllText(Path.Combine(Checkout.Directory, "README.md"));
        var block = readme[readme.IndexOf("<!-- journey -->", StringComparison.Ordinal)..];
        var start = block.IndexOf("```sh\n", StringComparison.Ordinal) + "```sh\n".Length;
        return block[start..block.IndexOf("\n```", start, StringComparison.Ordinal)] + "\n";
    }
}

internal static class Checkout
{
    public static string Directory { get; } = typeof(Checkout).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(metadata => metadata.Key == "checkoutdirectory").Value!;
}
