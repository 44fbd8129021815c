using System.Diagnostics;
using System.Globalization;
using Ariya.Data;
using Ariya.ServiceDefaults.Settings;
using Ariya.Worker.Mail;
using Ariya.Worker.Mail.Smtp;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using StackExchange.Redis;

namespace Ariya.Worker.Commands;

/// <summary><c>check</c>: one line each for PostgreSQL, Redis and SMTP, with what to change.</summary>
internal static class Check
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(15);

    public static Task<int> RunAsync(HostApplicationBuilder builder)
    {
        var settings = builder.ReadSetting(() => SmtpSettings.Read(builder.Configuration));
        if (settings is not null)
        {
            builder.AddRelay(settings with { CommandTimeout = s_patience / 2 });
        }

        return OneShot.RunAsync(builder, "check", async (services, cancellationToken) =>
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(s_patience * 6);
            var isGood = await TellAsync("PostgreSQL", () => PostgresAsync(services, limit.Token));
            isGood &= await TellAsync("Redis", () => RedisAsync(builder.Configuration.GetConnectionString("cache")));
            isGood &= await TellAsync("SMTP", () => SmtpAsync(settings, services, limit.Token));
            return isGood ? OneShot.Done : OneShot.Failed;
        });
    }

    private static async Task<bool> TellAsync(string server, Func<Task<(bool IsGood, string Words)>> ask)
    {
        var started = Stopwatch.GetTimestamp();
        var (isGood, words) = await ask();
        var time = isGood ? string.Create(CultureInfo.InvariantCulture, $" ({Stopwatch.GetElapsedTime(started).TotalMilliseconds:F0} ms)") : "";
        Console.WriteLine($"{server,-11} {(isGood ? "ok   " : "FAILS")} {words}{time}");
        return isGood;
    }

    private static async Task<(bool, string)> PostgresAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        try
        {
            var (version, isReadOnly) = await services.Database().QueryFirstAsync(
                $"select current_setting('server_version'), pg_is_in_recovery() or current_setting('default_transaction_read_only') = 'on'",
                row => (row.GetString(0), row.GetBoolean(1)), cancellationToken);
            if (isReadOnly)
            {
                return (false, $"{version} takes no writes: connect to the primary, or set default_transaction_read_only = off");
            }

            var pending = (await services.Schema().Database.GetPendingMigrationsAsync(cancellationToken)).Count();
            return pending == 0
                ? (true, $"{version}, schema up to date")
                : (false, $"{version}, {pending} migration(s) to apply: run `Ariya.Worker migrate`");
        }
        catch (Exception exception) when (exception is NpgsqlException or TimeoutException or OperationCanceledException)
        {
            return (false, $"{OneShot.Reason(exception)}: look at DATABASE_URL or ConnectionStrings__ariyadb");
        }
    }

    private static async Task<(bool, string)> RedisAsync(string? connection)
    {
        if (string.IsNullOrWhiteSpace(connection))
        {
            return (true, "not configured here; the API counts limits in its own process without REDIS_URL");
        }

        try
        {
            var options = ConfigurationOptions.Parse(connection);
            options.ConnectTimeout = 5000;
            using var redis = await ConnectionMultiplexer.ConnectAsync(options).WaitAsync(s_patience);
            await redis.GetDatabase().PingAsync().WaitAsync(s_patience);
            return (true, "answers");
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException or ArgumentException)
        {
            return (false, $"{exception.Message.Split('\n', ';')[0].Trim()}: look at REDIS_URL or ConnectionStrings__cache; everything works without Redis, with limits counted in each process");
        }
    }

    private static async Task<(bool, string)> SmtpAsync(SmtpSettings? settings, IServiceProvider services, CancellationToken cancellationToken)
    {
        if (settings is null)
        {
            return (false, "no relay: set SMTP_HOST; in Development mails are printed without one");
        }

        await using var relay = services.GetRequiredService<Func<IMailTransport>>()();
        var report = await relay.OpenAsync(cancellationToken);
        return report.Outcome == DeliveryOutcome.Accepted
            ? (true, $"{settings.Host}:{settings.Port} {(settings.Security == SmtpSecurity.None ? "in clear, on this machine" : "under TLS")}{(settings.User is null ? ", no sign-in" : ", signed in")}")
            : (false, $"{settings.Host}:{settings.Port}: {report.Reply}. {Advice(report, settings)}");
    }

    private static string Advice(DeliveryReport report, SmtpSettings settings) => report switch
    {
        { ReplyCode: "535" or "534" or "530" } => "Look at SMTP_USER and SMTP_PASSWORD",
        { Reply: var reply } when reply.StartsWith("TLS", StringComparison.Ordinal) =>
            $"The certificate must be valid for {settings.Host}: SMTP_HOST must be the name in it, and its authority known to this machine",
        { Reply: var reply } when reply.Contains("STARTTLS", StringComparison.Ordinal) => "Use SMTP_PORT 465 if the relay speaks TLS from the first byte",
        { Reply: var reply } when reply.StartsWith("no connection", StringComparison.Ordinal) => "Look at SMTP_HOST, SMTP_PORT and the firewall",
        { Reply: var reply } when reply.Contains("no answer", StringComparison.Ordinal) =>
            "Nothing came in time: on port 465 TLS is expected from the first byte, on 587 STARTTLS; look at SMTP_PORT and the firewall",
        _ => "Look at SMTP_HOST and SMTP_PORT",
    };
}
