using System.Diagnostics;
using System.Reflection;

namespace Ariya.Tests.Distributed;

[Collection(RunningAriyaTests.Name)]
public sealed class ReadmeJourneyTests(RunningAriya ariya)
{
    [Fact]
    [Trait("Promise", "P06")]
    [Trait("Promise", "P13")]
    public async Task TheWalkInTheReadmeRunsAsPrinted()
    {
        var start = new ProcessStartInfo("/bin/sh", ["-eu"]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["API"] = ariya.Api.BaseAddress!.ToString().TrimEnd('/');
        start.Environment["MAILDEV"] = ariya.MailDev.BaseAddress!.ToString().TrimEnd('/');
        using var shell = Process.Start(start)!;
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        var output = shell.StandardOutput.ReadToEndAsync(timeout.Token);
        var errors = shell.StandardError.ReadToEndAsync(timeout.Token);
        try
        {
            await shell.StandardInput.WriteAsync(Journey().AsMemory(), timeout.Token);
            shell.StandardInput.Close();
            await shell.WaitForExitAsync(timeout.Token);
        }
        finally
        {
            if (!shell.HasExited)
            {
                shell.Kill(entireProcessTree: true);
            }
        }

        Assert.True(shell.ExitCode == 0, $"exit code {shell.ExitCode}\n{await output}\n{await errors}");
        Assert.Contains("<h1>Your address is confirmed</h1>", await output, StringComparison.Ordinal);
        Assert.Contains("\"current\":true", await output, StringComparison.Ordinal);
        Assert.Contains("\"code\":\"session_ended\"", await output, StringComparison.Ordinal);
        Assert.EndsWith("}", (await output).TrimEnd(), StringComparison.Ordinal);
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
