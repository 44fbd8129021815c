using System.Globalization;
using Ariya.Tests.Distributed;
using Ariya.Tests.Mail.Outbox;
using Ariya.Tests.ServiceDefaults;

namespace Ariya.Tests.Programs;

/// <summary>How the programs end when their settings are wrong or something in them fails. No server is there: they start without.</summary>
public sealed class ProgramEndTests
{
    private const string Database = "Host=127.0.0.1;Port=1;Username=u;Password=hunter2;Database=d";
    private const string Redis = "127.0.0.1:1";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    [Fact]
    [Trait("Promise", "P64")]
    public async Task TheApiListsEveryWrongSettingAndDoesNotStart()
    {
        await using var api = ApiProcess.Start("Host=db.example.com;Username=u;Password=hunter2;Database=d", "cache.example.com:6379,password=hunter2",
            ("JWT_SECRET", "hunter2"), ("JWT_REFRESH_SECRET", "hunter2"), ("JWT_SECRET_PREVIOUS_FILE", "/hunter2/hunter2"), ("APP_URL", "http://localhost"),
            ("Proxies__Networks", "10.0.0.0/33,all"), ("RateLimits__AuthPermits", "-1"), ("Redis__Patience", "00:00:00"), ("Sessions__IdleLifetime", "long"),
            ("Shutdown__DrainDelay", "00:01:00"), ("Logs__MaxFiles", "1"), ("Admin__Networks", "everywhere"));
        await api.EndAsync(s_patience);

        Assert.Equal(1, api.ExitCode);
        AssertListed(api.Output,
            "JWT_SECRET_PREVIOUS_FILE names a file that is not there", "PostgreSQL is on another machine", "JWT_SECRET is too weak", "JWT_REFRESH_SECRET is too weak",
            "JWT_SECRET and JWT_REFRESH_SECRET are equal", "APP_URL must start with https://", "Sessions__IdleLifetime must be a duration",
            "Proxies__Networks: '10.0.0.0/33'", "Proxies__Networks: 'all'", "Shutdown__DrainDelay must be", "Redis__Patience must be", "Redis is on another machine",
            "RateLimits__AuthPermits must be", "Logs__MaxFiles must be", "Admin__Networks: 'everywhere'");
    }

    [Theory]
    [Trait("Promise", "P64")]
    [InlineData]
    [InlineData("migrate")]
    [InlineData("cleanup")]
    public async Task TheWorkerAndItsCommandsDoToo(params string[] command)
    {
        await using var worker = await WorkerProcess.CommandAsync("", command, null,
            ("DATABASE_URL", "postgres://u:hunter2@"), ("JWT_SECRET", "hunter2"), ("Passwords__Algorithm", "md5"), ("APP_URL", ""), ("Outbox__BatchSize", "0"),
            ("Outbox__Lease", "short"), ("Retention__Audit", "00:00:01"), ("Cleanup__Schedule", "at night"), ("SMTP_PORT", "0"));

        Assert.Equal(1, worker.ExitCode);
        string[] both = ["DATABASE_URL cannot be used", "JWT_SECRET is too weak"];
        AssertListed(worker.Output, command switch
        {
            [] => [.. both, "APP_URL must be", "SMTP_PORT must be", "Outbox__BatchSize must be", "Outbox__Lease must be", "Retention__Audit must be", "Cleanup__Schedule must be"],
            ["migrate"] => [.. both, "Passwords__Algorithm is 'md5'"],
            _ => [.. both, "Retention__Audit must be", "Cleanup__Schedule must be"],
        });
        Assert.True(command.Length == 0 || worker.Output.Contains($"{command[0]} failed: ", StringComparison.Ordinal), worker.Output);
    }

    [Fact]
    public async Task APortThatIsTakenIsOneRecordAndAnExitCode()
    {
        using var taken = WebHost.StartSilentServer();
        await using var api = ApiProcess.Start(Database, Redis, ("ASPNETCORE_URLS", string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{WebHost.PortOf(taken)}")));
        await api.EndAsync(s_patience);
        Assert.Equal(1, api.ExitCode);
        Assert.Contains("address already in use", Assert.Single(Failures(api.Output)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(StartupHook.OfService)]
    [InlineData(StartupHook.OfThread)]
    public async Task AFailureInTheApiThatNobodyCaughtIsOneRecordAndAnExitCode(string failure)
    {
        await using var api = ApiProcess.Start(Database, Redis, [.. Planted(failure), ("Shutdown__DrainDelay", "00:00:00")]);
        await api.EndAsync(s_patience);
        AssertFailedOnce(api);
    }

    [Theory]
    [InlineData(StartupHook.OfService)]
    [InlineData(StartupHook.OfThread)]
    public async Task AFailureInTheWorkerThatNobodyCaughtIsOneRecordAndAnExitCode(string failure)
    {
        await using var worker = WorkerProcess.Start(Database, 1, Planted(failure));
        await worker.EndAsync();
        AssertFailedOnce(worker);
    }

    private static (string, string)[] Planted(string failure) =>
        [("DOTNET_STARTUP_HOOKS", typeof(StartupHook).Assembly.Location), (StartupHook.Setting, failure)];

    private static void AssertFailedOnce(ProgramProcess program)
    {
        Assert.True(program.ExitCode == 1, $"{program.ExitCode}: {program.Output}");
        Assert.True(Failures(program.Output).Count(record => record.Contains(StartupHook.Words, StringComparison.Ordinal)) == 1, program.Output);
        // Nor does the runtime say it once more.
        Assert.True(program.Output.Split(StartupHook.Words).Length == 2, program.Output);
    }

    // Records of the console's simple format, each with the lines that belong to it.
    private static IEnumerable<string> Failures(string output) =>
        System.Text.RegularExpressions.Regex.Split(output, @"^(?=[a-z]{4}: )", System.Text.RegularExpressions.RegexOptions.Multiline)
            .Where(record => record.StartsWith("fail: ", StringComparison.Ordinal) || record.StartsWith("crit: ", StringComparison.Ordinal));

    private static void AssertListed(string output, params string[] faults)
    {
        var lines = output.Split('\n').Where(line => line.StartsWith("- ", StringComparison.Ordinal)).ToList();
        Assert.True(lines.Count == faults.Length, output);
        Assert.All(faults, fault => Assert.True(lines.Exists(line => line.StartsWith($"- {fault}", StringComparison.Ordinal)), $"{fault} is not in: {output}"));
        Assert.DoesNotContain("hunter2", output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
    }
}
