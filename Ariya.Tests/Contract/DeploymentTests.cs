using System.Diagnostics;
using System.Runtime.Versioning;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Ariya.Tests.Contract;

/// <summary>What the pipeline, the compose file and the manifests agree on among themselves and with the documents. Their syntax is a matter of scripts/lint.sh.</summary>
[UnsupportedOSPlatform("windows")]
public sealed partial class DeploymentTests
{
    // Of the runtime, and what docs/deployment.md explains instead.
    private static readonly string[] s_ofOthers = ["SSL_CERT_DIR"];

    private static readonly string[] s_forBoth = ["DATABASE_URL", "JWT_SECRET", "APP_URL"];
    private static readonly string[] s_forApi = [.. s_forBoth, "REDIS_URL", "JWT_REFRESH_SECRET", "Proxies__Networks"];
    private static readonly string[] s_forWorker = [.. s_forBoth, "SMTP_HOST", "SMTP_PORT", "SMTP_USER", "SMTP_PASSWORD", "SMTP_FROM"];

    private static readonly string[] s_forMigrations = ["DATABASE_URL", "JWT_SECRET"];

    private static readonly string s_compose = CheckoutFile.Read("deploy/compose.yaml");
    private static readonly string s_configuration = CheckoutFile.Read("docs/configuration.md");

    public static TheoryData<string> Workflows => [.. FilesIn(".github/workflows")];

    public static TheoryData<string> Targets => [.. Directory.EnumerateDirectories(CheckoutFile.PathOf("deploy/kubernetes/overlays"))
        .Select(folder => Path.GetFileName(folder)!).Where(name => name[0] != '.').Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Workflows))]
    public void EveryStageIsAScriptThatRunsAnywhere(string workflow)
    {
        var stages = Runs().Matches(CheckoutFile.Read(workflow)).Select(run => run.Groups["command"].Value).ToList();
        Assert.NotEmpty(stages);
        Assert.All(stages, stage =>
        {
            var script = Assert.Single(ScriptNames().Matches(stage)).Value;
            Assert.StartsWith(script, stage, StringComparison.Ordinal);
            Assert.True(File.Exists(CheckoutFile.PathOf(script)), $"{workflow} calls {script}, which does not exist");
        });
    }

    [Fact]
    public void EveryScriptMayBeRunAndStopsAtAFailure()
    {
        Assert.All(Directory.EnumerateFiles(CheckoutFile.PathOf("scripts"), "*.sh"), script =>
        {
            Assert.True(File.GetUnixFileMode(script).HasFlag(UnixFileMode.UserExecute | UnixFileMode.OtherExecute), script);
            Assert.Matches(@"\A#!(/bin/sh|/usr/bin/env bash)\n(#.*\n)+set -eu(o pipefail)?\n", File.ReadAllText(script));
        });
    }

    [Theory]
    [MemberData(nameof(Workflows))]
    public void AWorkflowMayDoNoMoreThanItNeedsAndRunsWhatWasReviewed(string workflow)
    {
        var text = CheckoutFile.Read(workflow);
        Assert.Contains("\npermissions:\n  contents: read\n", text, StringComparison.Ordinal);
        Assert.Contains("\nconcurrency:\n", text, StringComparison.Ordinal);
        Assert.All(Uses().Matches(text).Select(use => use.Groups["action"].Value), action => Assert.Matches(@"^(\./|[\w./-]+@[0-9a-f]{40} # v\d)", action));
        Assert.Equal(Regex.Count(text, "runs-on:"), Regex.Count(text, "timeout-minutes:"));
        Assert.Equal(Regex.Count(text, "actions/checkout@"), Regex.Count(text, "persist-credentials: false"));
        Assert.DoesNotContain("pull_request_target", text, StringComparison.Ordinal);
    }

    [Fact]
    public void OnComposeEachProgramHasWhatItNeeds()
    {
        var shared = SettingsOf(s_compose[..s_compose.IndexOf("\nservices:", StringComparison.Ordinal)]);
        AssertHas(s_forApi, [.. shared, .. SettingsOf(Service("api"))]);
        AssertHas(s_forWorker, [.. shared, .. SettingsOf(Service("worker"))]);
        AssertHas(s_forMigrations, [.. shared, .. SettingsOf(Service("migrations"))]);
        Assert.All(new[] { "api", "worker" }, program => Assert.Contains("service_completed_successfully", Service(program), StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void InEachTargetEachProgramHasWhatItNeeds(string target)
    {
        var shared = SettingsOf(CheckoutFile.Read("deploy/kubernetes/base/settings.env") + CheckoutFile.Read($"deploy/kubernetes/overlays/{target}/settings.env"));
        AssertHas(s_forApi, [.. shared, .. SettingsOf(CheckoutFile.Read("deploy/kubernetes/base/api.yaml"))]);
        AssertHas(s_forWorker, [.. shared, .. SettingsOf(CheckoutFile.Read("deploy/kubernetes/base/worker.yaml"))]);
        AssertHas(s_forMigrations, [.. shared, .. SettingsOf(CheckoutFile.Read("deploy/kubernetes/base/migrate.yaml"))]);
    }

    [Fact]
    public void EveryRequiredSettingOfTheDocumentIsAmongThem()
    {
        var required = RequiredRows().Matches(s_configuration).Select(row => row.Groups["name"].Value).ToHashSet();
        Assert.NotEmpty(required);
        AssertHas(required, s_forApi);
    }

    [Fact]
    public void EverySettingThatIsSetIsInTheDocument()
    {
        var services = new[] { "api", "worker", "migrations" }.Select(Service);
        var set = SettingsOf(string.Concat([s_compose[..s_compose.IndexOf("\nservices:", StringComparison.Ordinal)], .. services, .. FilesIn("deploy/kubernetes").Select(CheckoutFile.Read)]));
        Assert.All(set.Except(s_ofOthers), name => Assert.Matches($"`{name}`", s_configuration));
    }

    [Fact]
    public void NoSecretStandsInWhatIsDeployed()
    {
        Assert.All([.. FilesIn("deploy"), .. FilesIn(".github"), "deploy/.env.example"], file =>
        {
            var text = CheckoutFile.Read(file);
            Assert.DoesNotMatch(@"(?m)^kind: Secret$", text);
            Assert.DoesNotMatch(@"://[^\s/]*:[^\s/]*@", text);
            Assert.DoesNotMatch(@"(?m)^\s*(- name: )?(DATABASE_URL|REDIS_URL|SMTP_PASSWORD|JWT_SECRET|JWT_REFRESH_SECRET|ConnectionStrings__\w+)(_PREVIOUS)?\s*[:=]\s*(?!Host=localhost|localhost:6379)\S", text);
        });
    }

    [Fact]
    public void NoLogOfAProxyHoldsAToken()
    {
        Assert.Contains("enable-access-log: \"false\"", CheckoutFile.Read("deploy/kubernetes/base/ingress.yaml"), StringComparison.Ordinal);
        var caddy = CheckoutFile.Read("deploy/Caddyfile");
        Assert.Contains("request>uri regexp", caddy, StringComparison.Ordinal);
        Assert.Single(Regex.Matches(caddy, @"(?m)^\s*log\b"));
    }

    [Fact]
    public async Task AFailedMigrationLeavesTheOldVersionServing()
    {
        using var cluster = new PretendedCluster("Failed");
        var (exit, words) = await cluster.DeployAsync("staging");
        Assert.Equal(1, exit);
        Assert.Contains("the migration failed", words, StringComparison.Ordinal);
        Assert.Contains(cluster.Calls, call => call.Contains("ariya/stage=migration", StringComparison.Ordinal));
        Assert.DoesNotContain(cluster.Calls, call => call.Contains("ariya/stage=programs", StringComparison.Ordinal) || call.Contains("rollout", StringComparison.Ordinal));
    }

    [Fact]
    public async Task TheProgramsComeAfterTheMigrationAndAreWaitedFor()
    {
        using var cluster = new PretendedCluster("Complete");
        var (exit, words) = await cluster.DeployAsync("production");
        Assert.True(exit == 0, words);
        var steps = cluster.Calls.Select(call => Steps().Match(call).Value).Where(step => step.Length > 0).Distinct();
        Assert.Equal(
            ["stage=foundation", "delete job ariya-migrate", "stage=migration", "get job ariya-migrate", "stage=programs",
             "rollout status deployment/ariya-api", "rollout status deployment/ariya-worker"], steps);
    }

    [Fact]
    public async Task WhatDoesNotBecomeReadyIsTakenBack()
    {
        using var cluster = new PretendedCluster("Complete", broken: "worker");
        var (exit, words) = await cluster.DeployAsync("staging");
        Assert.Equal(1, exit);
        Assert.Contains("ariya-worker did not become ready", words, StringComparison.Ordinal);
        Assert.Contains(cluster.Calls, call => call.EndsWith("rollout undo deployment/ariya-api", StringComparison.Ordinal));
        Assert.Contains(cluster.Calls, call => call.EndsWith("rollout undo deployment/ariya-worker", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("", "", "deploy: no target: scripts/deploy.sh staging|production")]
    [InlineData("elsewhere", "", "deploy: there is no target 'elsewhere' in deploy/kubernetes/overlays")]
    [InlineData("staging", "API_IMAGE", "deploy: staging needs API_IMAGE, which is not set")]
    [InlineData("staging", "DEPLOY_NAMESPACE", "deploy: staging needs DEPLOY_NAMESPACE, which is not set")]
    [InlineData("staging", "KUBECONFIG", "deploy: staging needs KUBECONFIG or KUBECONFIG_CONTENT, which are not set")]
    [InlineData("staging", "ALLOW_EXAMPLES", "deploy: deploy/kubernetes/overlays/staging still has the names of the example: set your own in settings.env and kustomization.yaml")]
    public async Task WhatIsMissingIsOneLine(string target, string missing, string line)
    {
        using var cluster = new PretendedCluster("Complete");
        var (exit, words) = await cluster.DeployAsync(target, missing);
        Assert.Equal((1, line), (exit, words.Trim()));
        Assert.Empty(cluster.Calls);
    }

    [Theory]
    [InlineData("{}", 0)]
    [InlineData("""{"paths":{"/a":{"post":null}}}""", 1)]
    [InlineData("""{"paths":{"/a":{"post":{"responses":{"200":{"content":{"application/json":{"schema":{"properties":{"id":null}}}}}}}}}}""", 1)]
    [InlineData("""{"components":{"schemas":{"Ask":{"required":["name","size"],"properties":{"size":{"type":"integer"}}}}}}""", 1)]
    [InlineData("""{"components":{"schemas":{"Ask":{"properties":{"size":{"type":"integer"}}}}}}""", 0)]
    [InlineData("""{"components":{"schemas":{"Ask":{"properties":{"name":{"type":"integer"}}}}}}""", 1)]
    [InlineData("""{"components":{"schemas":{"Ask":{"properties":{"name":null}}}}}""", 1)]
    [InlineData("""{"paths":{"/a":{"post":{"responses":{"200":{"content":{"application/json":{"schema":{"properties":{"at":{"type":"string"}}}}}}}}}}}""", 0)]
    [InlineData("""{"paths":{"/b":{"get":{"responses":{}}}}}""", 0)]
    public async Task ADocumentThatBreaksItsReadersIsFound(string change, int breaks)
    {
        const string Old = """
            {"paths":{"/a":{"post":{"requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Ask"}}}},
              "responses":{"200":{"content":{"application/json":{"schema":{"type":"object","required":["id"],"properties":{"id":{"type":"string"}}}}}}}}}},
             "components":{"schemas":{"Ask":{"type":"object","required":["name"],"properties":{"name":{"type":"string"}}}}}}
            """;
        var folder = Directory.CreateTempSubdirectory("ariya-openapi");
        try
        {
            var (before, after) = (Path.Combine(folder.FullName, "before.json"), Path.Combine(folder.FullName, "after.json"));
            await File.WriteAllTextAsync(before, Old);
            await File.WriteAllTextAsync(after, Merged(Old, change));
            var (exit, words) = await RunAsync("node", [CheckoutFile.PathOf("scripts/openapi-diff.mjs"), "breaking", before, after], []);
            Assert.True(words.Contains($"{breaks} breaking change(s).", StringComparison.Ordinal), words);
            Assert.Equal(breaks > 0 ? 1 : 0, exit);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static void AssertHas(IEnumerable<string> needed, string[] settings) => Assert.Empty(needed.Except(settings));

    // RFC 7396.
    private static string Merged(string document, string change)
    {
        var merged = JsonNode.Parse(document)!.AsObject();
        Merge(merged, JsonNode.Parse(change)!.AsObject());
        return merged.ToJsonString();

        static void Merge(JsonObject target, JsonObject patch)
        {
            foreach (var (name, value) in patch)
            {
                if (value is null)
                {
                    target.Remove(name);
                }
                else if (value is JsonObject inner && target[name] is JsonObject there)
                {
                    Merge(there, inner);
                }
                else
                {
                    target[name] = value.DeepClone();
                }
            }
        }
    }

    private static IEnumerable<string> FilesIn(string folder) =>
        Directory.EnumerateFiles(CheckoutFile.PathOf(folder), "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.None })
            .Where(file => Path.GetExtension(file) is ".yml" or ".yaml" or ".env" || Path.GetFileName(file) is "Dockerfile" or "Caddyfile")
            .Select(file => Path.GetRelativePath(CheckoutFile.PathOf("."), file))
            .Where(file => !file.Contains(".release-", StringComparison.Ordinal) && file != "deploy/.env")
            .Order(StringComparer.Ordinal);

    // Names of settings: in capitals, or of a section; NAME_FILE is NAME.
    private static HashSet<string> SettingsOf(string text) =>
        [.. SettingNames().Matches(text).Select(match => match.Groups["name"].Value)
            .Select(name => name.EndsWith("_FILE", StringComparison.Ordinal) ? name[..^5] : name)];

    private static string Service(string name)
    {
        var service = Regex.Match(s_compose, $@"(?m)^  {name}:\n(?<body>(    .*\n|\n)+)");
        Assert.True(service.Success, $"no service {name}");
        return service.Groups["body"].Value;
    }

    private static async Task<(int Exit, string Words)> RunAsync(string program, string[] arguments, (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output + await error);
    }

    [GeneratedRegex(@"(?m)^\s*(?:- )?run: (?<command>.*)$")]
    private static partial Regex Runs();

    [GeneratedRegex(@"scripts/[a-z-]+\.sh")]
    private static partial Regex ScriptNames();

    [GeneratedRegex(@"(?m)^\s*(?:- )?uses: (?<action>.*)$")]
    private static partial Regex Uses();

    [GeneratedRegex(@"(?m)^\s*(?:- name: )?(?<name>[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|[A-Z][A-Za-z]+__[A-Za-z]+)(?:[:=]|$)")]
    private static partial Regex SettingNames();

    [GeneratedRegex(@"(?m)^\| `(?<name>[A-Z_]+)` \| required \|")]
    private static partial Regex RequiredRows();

    [GeneratedRegex(@"stage=\w+|(delete|get) job ariya-migrate|rollout \w+ deployment/[\w-]+")]
    private static partial Regex Steps();

    /// <summary>A kubectl that writes down how it is called and answers as a cluster would.</summary>
    private sealed class PretendedCluster : IDisposable
    {
        private const string Image = "@sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";

        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("ariya-kubectl");
        private readonly string _calls;

        public PretendedCluster(string migration, string broken = "none")
        {
            _calls = Path.Combine(_folder.FullName, "calls");
            var kubectl = Path.Combine(_folder.FullName, "kubectl");
            File.WriteAllText(kubectl, $"""
                #!/bin/sh
                echo "$*" >>'{_calls}'
                case "$*" in
                  *"get job"*) echo '{migration}' ;;
                  *"rollout status deployment/ariya-{broken} "*) exit 1 ;;
                esac

                """);
            File.SetUnixFileMode(kubectl, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        }

        public IReadOnlyList<string> Calls => File.Exists(_calls) ? File.ReadAllLines(_calls) : [];

        public Task<(int Exit, string Words)> DeployAsync(string target, string missing = "") =>
            RunAsync(CheckoutFile.PathOf("scripts/deploy.sh"), target.Length > 0 ? [target] : [],
            [
                .. new[]
                {
                    ("API_IMAGE", $"registry.example/ariya-api{Image}"), ("WORKER_IMAGE", $"registry.example/ariya-worker{Image}"),
                    ("DEPLOY_NAMESPACE", "accounts"), ("KUBECONFIG", "/dev/null"), ("ALLOW_EXAMPLES", "1"),
                }.Select(setting => setting.Item1 == missing ? (missing, "") : setting),
                ("POLL_SECONDS", "0"), ("PATH", $"{_folder.FullName}:{Environment.GetEnvironmentVariable("PATH")}"),
            ]);

        public void Dispose() => _folder.Delete(recursive: true);
    }
}
