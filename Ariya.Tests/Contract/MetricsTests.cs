using System.Diagnostics.Metrics;
using System.Text.RegularExpressions;
using Ariya.Api.Limits;
using Ariya.Api.Passwords;
using Ariya.Api.Sessions;
using Ariya.ServiceDefaults.Logging;
using Ariya.Worker.Outbox;
using Microsoft.Extensions.DependencyInjection;

namespace Ariya.Tests.Contract;

public sealed partial class MetricsTests
{
    [Fact]
    public void EveryInstrumentIsInTheDocumentWithItsUnitAndNoOther()
    {
        var published = new List<string>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, _) =>
            {
                if (instrument.Meter.Name == Microsoft.Extensions.Hosting.Telemetry.MeterName)
                {
                    lock (published)
                    {
                        published.Add($"{instrument.Name} {KindOf(instrument)} {instrument.Unit}");
                    }
                }
            },
        };
        listener.Start();
        // One of each of those that have instruments.
        using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        var meters = services.GetRequiredService<IMeterFactory>();
        _ = new PasswordHasher(services.GetRequiredService<IServiceScopeFactory>(), meters);
        _ = new LimitMetrics(meters);
        _ = new SessionMetrics(meters);
        _ = new LogTroubles(meters, services);
        _ = new EventRate(meters);
        using var outbox = new OutboxMetrics();

        var documented = Rows().Matches(CheckoutFile.Read("docs/metrics.md"))
            .Select(row => $"{row.Groups["name"].Value} {row.Groups["kind"].Value} {row.Groups["unit"].Value}");
        lock (published)
        {
            Assert.Equal(documented.Order(StringComparer.Ordinal), published.Distinct().Order(StringComparer.Ordinal));
        }
    }

    [Fact]
    public void NoSourceNamesAnInstrumentThatTheDocumentLacks()
    {
        var document = CheckoutFile.Read("docs/metrics.md");
        var named = new[] { "Ariya.Api", "Ariya.Worker", "Ariya.Data", "Ariya.ServiceDefaults" }
            .SelectMany(project => Directory.EnumerateFiles(CheckoutFile.PathOf(project), "*.cs", SearchOption.AllDirectories))
            .SelectMany(file => Instruments().Matches(File.ReadAllText(file)).Select(match => match.Groups["name"].Value))
            .ToList();
        Assert.True(named.Count >= 8, string.Join(", ", named));
        Assert.All(named, name => Assert.Contains($"| `{name}` |", document, StringComparison.Ordinal));
    }

    private static string KindOf(Instrument instrument) => instrument switch
    {
        Counter<long> => "counter",
        Histogram<double> => "histogram",
        _ => instrument.IsObservable ? "gauge" : instrument.GetType().Name,
    };

    [GeneratedRegex(@"^\| `(?<name>ariya\.[a-z_.]+)` \| (?<kind>\w+) \| `(?<unit>[^`]+)` \|", RegexOptions.Multiline)]
    private static partial Regex Rows();

    [GeneratedRegex(@"\.Create(?:Observable)?(?:Counter|Histogram|Gauge|UpDownCounter)(?:<\w+>)?\(\s*""(?<name>[^""]+)""")]
    private static partial Regex Instruments();
}
