using System.Collections.Concurrent;
using Ariya.Data;
using Ariya.Data.Keys;
using Ariya.Data.Tokens;
using Ariya.ServiceDefaults.Settings;
using Ariya.Worker.Cleanup;
using Ariya.Worker.Keys;
using Ariya.Worker.Mail;
using Ariya.Worker.Mail.Smtp;
using Ariya.Worker.Outbox;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Ariya.Tests.Mail.Outbox;

internal sealed class WorkerSettings
{
    // Stretching a secret is slow on purpose.
    public static SecretKeys Secrets { get; } = new(["a secret of the tests, 32 characters and more"]);
    public static SecretKeys LaterSecrets { get; } =
        new(["another secret of the tests, 32 characters and more", "a secret of the tests, 32 characters and more"]);

    public required string Connection { get; set; }
    public required int RelayPort { get; init; }
    public SecretKeys Keys { get; set; } = Secrets;
    public int BatchSize { get; set; } = 100;
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(60);
    public TimeSpan Patience { get; set; } = TimeSpan.FromSeconds(20);
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromMilliseconds(50);
    public TimeSpan SettleAfter { get; set; } = TimeSpan.FromMilliseconds(50);
    public TimeSpan SlowAfter { get; set; } = TimeSpan.FromSeconds(3);
    public int Connections { get; set; } = 4;
    public SmtpSecurity Security { get; set; } = SmtpSecurity.None;
    public string TimeZone { get; set; } = "UTC";
    public TimeProvider Clock { get; set; } = TimeProvider.System;
}

/// <summary>The worker's own services with short times, and what it logged. It runs round by round, or by itself once started.</summary>
internal sealed class InProcessWorker : IAsyncDisposable
{
    private readonly IHost _host;

    public InProcessWorker(WorkerSettings settings)
    {
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["ConnectionStrings:ariyadb"] = DatabaseConnection.Tune(settings.Connection, "ariya-worker"),
            ["SMTP_HOST"] = "127.0.0.1",
            ["SMTP_PORT"] = $"{settings.RelayPort}",
            ["Cleanup:TimeZone"] = settings.TimeZone,
            ["APP_URL"] = "https://accounts.example.com",
        });
        builder.Logging.AddProvider(Log);
        builder.AddNpgsqlDataSource(AriyaDatabase.ConnectionName);
        builder.Services.AddScoped<AriyaDatabase>();
        builder.Services.AddSingleton(settings.Clock);
        builder.Services.AddSingleton(settings.Keys);
        builder.Services.AddSingleton<OneTimeTokenKeys>();
        builder.Services.AddSingleton(PublicUrl.Read(builder.Configuration, builder.Environment));
        builder.AddMail();
        builder.AddOutbox();
        builder.AddCleanup();
        builder.Services.AddSingleton<CleanupSchedule>();
        builder.Services.AddHostedService<SigningKeyMaintenance>();
        builder.Services.AddSingleton<Func<IMailTransport>>(() => new SmtpTransport(
            SmtpSettings.Read(builder.Configuration)! with
            {
                // The name on the certificates of the tests.
                Host = "localhost",
                Security = settings.Security,
                CommandTimeout = settings.Patience,
                AcceptanceTimeout = settings.Patience,
            },
            settings.Clock));
        builder.Services.AddSingleton<Func<double>>(() => 0.5);
        builder.Services.AddSingleton(Options.Create(new OutboxOptions
        {
            BatchSize = settings.BatchSize,
            Lease = settings.Lease,
            PollInterval = settings.PollInterval,
            Connections = settings.Connections,
            SettleAfter = settings.SettleAfter,
            SlowAfter = settings.SlowAfter,
        }));
        _host = builder.Build();
    }

    public LogLines Log { get; } = new();

    public OutboxMetrics Metrics => _host.Services.GetRequiredService<OutboxMetrics>();

    private OutboxDispatcher Dispatcher => _host.Services.GetRequiredService<OutboxDispatcher>();

    /// <summary>One batch; the number of rows in it.</summary>
    public Task<int> RunOnceAsync(CancellationToken cancellationToken = default) => Dispatcher.RunOnceAsync(cancellationToken);

    public Task StartAsync() => _host.StartAsync();

    public Task StopAsync() => _host.StopAsync();

    /// <summary>A turn at the queue as a worker takes one; the rows it claimed.</summary>
    public Task<IReadOnlyList<LeasedMessage>> TakeTurnAsync(OutboxTurn turn, TimeSpan? lease = null) =>
        UseAsync<OutboxQueue, IReadOnlyList<LeasedMessage>>(queue => queue.TakeTurnAsync(turn, lease ?? TimeSpan.FromMinutes(1), CancellationToken.None));

    /// <summary>Looks up, mints and renders.</summary>
    public async Task<IReadOnlyList<PreparedMail>> PrepareAsync(IReadOnlyList<LeasedMessage> messages)
    {
        var lookups = _host.Services.GetRequiredService<MailPreparation>().LookUp(messages);
        await TakeTurnAsync(new OutboxTurn { Look = [.. lookups.Select(lookup => lookup.Ask).OfType<SqlStep>()] });
        return [.. lookups.SelectMany(lookup => lookup.Finish())];
    }

    /// <summary>Something that lives in a scope, such as the queue.</summary>
    public async Task<TResult> UseAsync<TService, TResult>(Func<TService, Task<TResult>> use)
        where TService : notnull
    {
        await using var scope = _host.Services.CreateAsyncScope();
        return await use(scope.ServiceProvider.GetRequiredService<TService>());
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        await ((IAsyncDisposable)_host).DisposeAsync();
    }
}

/// <summary>What was logged, line by line: its level, its words, those of its exception.</summary>
internal sealed class LogLines : ILoggerProvider
{
    private readonly ConcurrentQueue<string> _lines = new();

    public int Count(string words) => _lines.Count(line => line.Contains(words, StringComparison.Ordinal));

    public bool Contain(string words) => _lines.Any(line => line.Contains(words, StringComparison.Ordinal));

    public Task<string> ContainingAsync(string words) => Distributed.Wait.UntilAsync(
        $"a log line with '{words}'", TimeSpan.FromSeconds(30),
        () => Task.FromResult(_lines.FirstOrDefault(line => line.Contains(words, StringComparison.Ordinal))));

    public ILogger CreateLogger(string categoryName) => new Logger(_lines);

    public void Dispose()
    {
    }

    private sealed class Logger(ConcurrentQueue<string> lines) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            lines.Enqueue($"{logLevel}: {formatter(state, exception)} {exception?.Message}".TrimEnd());
    }
}
