using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using Ariya.ServiceDefaults.Logging;
using Ariya.Tests.Contract;
using Ariya.Tests.Distributed;
using Ariya.Tests.Mail.Outbox;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Ariya.Tests.ServiceDefaults;

public sealed partial class LogFileTests
{
    private const string Planted = "planted-secret-0815";

    [Fact]
    public async Task ARecordIsALineWithTheDocumentedMembers()
    {
        await using var folder = new LogFolder();
        await using (var host = await StartAsync(folder.Logs))
        {
            await host.Client.GetAsync("/failing");
            await host.StopAsync();
        }

        var line = folder.Lines("combined.log").Single(line => (string?)line["category"] == "things");
        Assert.Equal("error", (string?)line["level"]);
        Assert.Equal("Thing 17 \"failed\"\nin two lines", (string?)line["message"]);
        Assert.Equal(17, (int?)line["fields"]!["Id"]);
        Assert.Equal((7, "Failing"), ((int)line["eventId"]!, (string)line["event"]!));
        Assert.Matches("^[0-9a-f]{32}$", (string?)line["traceId"]);
        Assert.StartsWith("System.InvalidOperationException: no", (string?)line["exception"], StringComparison.Ordinal);
        Assert.True(DateTimeOffset.TryParse((string?)line["time"], CultureInfo.InvariantCulture, out _));
        Assert.Equal(line.ToJsonString(), Assert.Single(folder.Lines("error.log")).ToJsonString());

        var documented = CheckoutFile.Read("docs/logs.md");
        Assert.All(folder.Lines("combined.log").SelectMany(each => each.Select(member => member.Key)).Distinct(),
            member => Assert.Contains($"| `{member}` |", documented, StringComparison.Ordinal));
    }

    [Fact]
    public async Task ARequestIsOneLineWithItsRouteAndNothingThatWasSent()
    {
        await using var folder = new LogFolder();
        await using (var host = await StartAsync(folder.Logs))
        {
            using var mistyped = new HttpRequestMessage(new HttpMethod($"{Planted}"), $"/things/17/{Planted}?token={Planted}");
            mistyped.Headers.Add("User-Agent", Planted);
            await host.Client.SendAsync(mistyped);
            await host.Client.GetAsync($"/things/17?token={Planted}");
            await host.Client.GetAsync("/broken/17");
            await host.StopAsync();
        }

        var lines = folder.Lines("http.log");
        Assert.Equal(["HTTP  404 0", "GET /things/{id:int} 200 5", "GET /broken/{id:int} 500 5"],
            lines.Select(line => $"{line["method"]} {line["route"]} {line["status"]} {line["bytes"]}"));
        Assert.All(lines, line => Assert.Equal("192.0.2.0/24", (string?)line["network"]));
        Assert.All(lines, line => Assert.Matches("^[0-9a-f]{32}$", (string?)line["traceId"]));
        Assert.All(lines, line => Assert.InRange((double)line["ms"]!, 0, 20_000));
        Assert.DoesNotContain(Planted, folder.Text("http.log") + folder.Text("combined.log"), StringComparison.OrdinalIgnoreCase);
        Assert.Equal(lines.Select(line => line.ToJsonString()),
            folder.Lines("combined.log").Where(line => (string?)line["category"] == "Ariya.Http").Select(line => line.ToJsonString()));
    }

    [Fact]
    public async Task FilesAreBoundedInSizeAndNumber()
    {
        await using var folder = new LogFolder();
        const int Lines = 2000;
        await using (var host = await StartAsync(folder.Logs, ("Logs:MaxFileBytes", "16384"), ("Logs:MaxFiles", "3")))
        {
            await host.Client.GetAsync($"/chatter?lines={Lines}");
            await host.StopAsync();
        }

        var files = Directory.GetFiles(folder.Logs, "combined*.log").Select(path => new FileInfo(path)).OrderBy(file => file.Name).ToList();
        Assert.Equal(["combined.1.log", "combined.2.log", "combined.log"], files.Select(file => file.Name));
        Assert.All(files, file => Assert.InRange(file.Length, 1, 16384));
        // What is left are the newest lines, one after the other.
        var numbers = folder.AllLines("combined").Where(line => (string?)line["category"] == "things").Select(line => (int)line["fields"]!["Number"]!).Order().ToList();
        Assert.Equal(Enumerable.Range(Lines - numbers.Count, numbers.Count), numbers);
    }

    [Fact]
    public async Task FewerFilesThanBeforeAreKeptFromTheNextStartOnAndALineWithoutItsEndGoes()
    {
        await using var folder = new LogFolder();
        Directory.CreateDirectory(folder.Logs);
        await File.WriteAllTextAsync(Path.Combine(folder.Logs, "combined.9.log"), "{}\n");
        await File.WriteAllTextAsync(Path.Combine(folder.Logs, "combined.log"), "{\"time\":\"before\"}\n{\"time\":\"the progra");
        await using (var host = await StartAsync(folder.Logs))
        {
            await host.Client.GetAsync("/chatter?lines=1");
            await host.StopAsync();
        }

        Assert.False(File.Exists(Path.Combine(folder.Logs, "combined.9.log")));
        Assert.Equal("before", (string?)folder.Lines("combined.log")[0]["time"]);
    }

    [Fact]
    public async Task ASecondProcessSaysThatItCannotAndWritesWhenTheFirstHasEnded()
    {
        await using var folder = new LogFolder();
        using var told = new LogLines();
        await using var first = await StartAsync(folder.Logs);
        await first.Client.GetAsync("/chatter?lines=500");
        await Wait.UntilAsync("lines of the first", TimeSpan.FromSeconds(10), () => Task.FromResult(folder.Text("combined.log").Length > 0 ? "" : null));
        await using var second = await StartAsync(folder.Logs, told);
        await second.Client.GetAsync("/chatter?lines=500");
        await told.ContainingAsync("combined.log cannot be written");
        await first.StopAsync();
        await first.DisposeAsync();
        await told.ContainingAsync("combined.log is written again");
        await second.StopAsync();
        await second.DisposeAsync();

        Assert.Equal(1000, folder.Lines("combined.log").Count(line => (string?)line["category"] == "things"));
        Assert.Equal(2, folder.Lines("http.log").Count);
    }

    [Fact]
    public async Task AFullVolumeStopsNobodyAndWhatIsDroppedIsCountedAndSaid()
    {
        await using var volume = new FullVolume();
        using var drops = new Drops();
        await using var host = await StartAsync(volume.Logs, ("Logs:MaxFileBytes", "65536"), ("Logs:MaxFiles", "2"));
        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => host.Client.GetAsync("/chatter?lines=100&length=4000")));
        Assert.All(answers, answer => Assert.True(answer.IsSuccessStatusCode));
        Assert.True(drops.Of("combined.log") > 0);

        volume.Free();
        var note = await Wait.UntilAsync("the number of lines that are missing", TimeSpan.FromSeconds(20), () =>
            Task.FromResult(volume.AllLines("combined").FirstOrDefault(line => (string?)line["event"] == "Dropped")));
        Assert.Equal(drops.Of("combined.log"), (long)note["fields"]!["Count"]!);
        await host.Client.GetAsync("/chatter?lines=1");
        await host.StopAsync();
        await host.DisposeAsync();
        Assert.Contains(volume.Lines("http.log"), line => (int?)line["status"] == 200);
        Assert.EndsWith("\n", volume.Text("combined.log"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ADirectoryThatIsTakenAwayIsMadeAnew()
    {
        await using var folder = new LogFolder();
        await using var host = await StartAsync(folder.Logs);
        await host.Client.GetAsync("/chatter?lines=1");
        await Wait.UntilAsync("lines", TimeSpan.FromSeconds(10), () => Task.FromResult(folder.Text("combined.log").Length > 0 ? "" : null));
        Directory.Delete(folder.Logs, recursive: true);
        Assert.True((await host.Client.GetAsync("/things/1")).IsSuccessStatusCode);
        await host.StopAsync();
        await host.DisposeAsync();
        Assert.Contains(folder.Lines("http.log"), line => (string?)line["route"] == "/things/{id:int}");
    }

    [Fact]
    public async Task ADirectoryThatCannotBeMadeStopsNobodyAndDoesNotHoldUpTheEnd()
    {
        await using var folder = new LogFolder();
        await File.WriteAllTextAsync(folder.Logs, "a file in its place");
        using var drops = new Drops();
        await using (var host = await StartAsync(folder.Logs))
        {
            Assert.True((await host.Client.GetAsync("/things/1")).IsSuccessStatusCode);
            await host.StopAsync();
        }

        Assert.True(drops.Of("http.log") > 0);
    }

    [Fact]
    public void AnEventHasSoManyLinesASecondAndTheRestIsCounted()
    {
        using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        var rate = new EventRate(services.GetRequiredService<IMeterFactory>());
        var (admitted, withheld) = (0, 0L);
        for (var i = 0; i < 1000; i++)
        {
            admitted += rate.Admits("event", out withheld) ? 1 : 0;
        }

        // The clock may pass from one second to the next meanwhile.
        Assert.InRange(admitted, EventRate.PerSecond, 2 * EventRate.PerSecond);
        Assert.True(rate.Admits("another event", out _));
        Assert.InRange(withheld, 1, 1000 - EventRate.PerSecond);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AnExceptionThatNobodyHandlesIsOneRecordInTheFiles(bool atStart)
    {
        await using var folder = new LogFolder();
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Configuration["Logs:Directory"] = folder.Logs;
        builder.AddServiceDefaults();
        builder.Services.AddHostedService(_ => new Failing(atStart));
        var host = builder.Build();
        var running = host.RunToEndAsync().WaitAsync(TimeSpan.FromSeconds(20));
        if (atStart)
        {
            await Assert.ThrowsAsync<InvalidOperationException>(() => running);
        }
        else
        {
            Assert.Equal(1, await running);
        }

        Assert.Single(folder.Lines("combined.log"), line => ((string?)line["exception"])?.Contains(Planted, StringComparison.Ordinal) == true);
        Assert.Single(folder.Lines("error.log"));
    }

    private static Task<WebHost> StartAsync(string directory, params (string Name, string Value)[] settings) => StartAsync(directory, null, settings);

    private static Task<WebHost> StartAsync(string directory, LogLines? told, params (string Name, string Value)[] settings) => WebHost.StartAsync(
        builder =>
        {
            builder.Configuration["Logs:Directory"] = directory;
            foreach (var (name, value) in settings)
            {
                builder.Configuration[name] = value;
            }

            if (told is not null)
            {
                builder.Logging.AddProvider(told);
            }

            builder.AddServiceDefaults();
        },
        app =>
        {
            app.UseRequestTelemetry(_ => "192.0.2.0/24");
            app.UseExceptionHandler(handler => handler.Run(context => context.Response.WriteAsync("sorry")));
            var logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("things");
            app.MapGet("/things/{id:int}", (int id) => "thing");
            app.MapGet("/broken/{id:int}", (int id) => { throw new InvalidOperationException($"{id}"); });
            app.MapGet("/failing", () => logger.LogError(
                new EventId(7, "Failing"), new InvalidOperationException("no"), "Thing {Id} \"failed\"\nin two lines", 17));
            app.MapGet("/chatter", (int lines, int? length) =>
            {
                var rest = new string('x', length ?? 40);
                for (var i = 0; i < lines; i++)
                {
                    Log.Chatter(logger, i, rest);
                }
            });
        });

    private static partial class Log
    {
        [LoggerMessage(8, LogLevel.Information, "Line {Number} {Rest}")]
        public static partial void Chatter(ILogger logger, int number, string rest);
    }

    private sealed class Failing(bool atStart) : BackgroundService
    {
        public override Task StartAsync(CancellationToken cancellationToken) =>
            atStart ? throw new InvalidOperationException(Planted) : base.StartAsync(cancellationToken);

        protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        {
            await Task.Yield();
            throw new InvalidOperationException(Planted);
        }
    }

    /// <summary>What the metric says was dropped.</summary>
    private sealed class Drops : IDisposable
    {
        private readonly ConcurrentDictionary<string, long> _dropped = new();
        private readonly MeterListener _listener = new();

        public Drops()
        {
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == "ariya.log.dropped")
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            };
            _listener.SetMeasurementEventCallback<long>((_, lines, tags, _) =>
                _dropped.AddOrUpdate((string)tags[0].Value!, lines, (_, before) => before + lines));
            _listener.Start();
        }

        public long Of(string sink) => _dropped.GetValueOrDefault(sink);

        public void Dispose() => _listener.Dispose();
    }
}
