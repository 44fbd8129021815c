using System.Net;
using Microsoft.Extensions.Hosting;
using Npgsql;
using StackExchange.Redis;

namespace Ariya.ServiceDefaults.Settings;

/// <summary>
/// What a connection string must say outside Development: over a network nothing goes in clear, nor to a server that has not proven who it is.
/// Where something else sees to that, a setting holds the reason, which is told at every start.
/// </summary>
public static class ServerConnections
{
    private const string DatabaseReason = "Database:TlsNotRequiredBecause";

    /// <summary>The connection string of PostgreSQL if it can be used; null after a fault, which is noted.</summary>
    /// <param name="builder">The program.</param>
    /// <param name="connectionString">As it was found; null when there is none.</param>
    public static string? CheckDatabase(this IHostApplicationBuilder builder, string? connectionString)
    {
        if (string.IsNullOrWhiteSpace(connectionString))
        {
            // One that cannot be read is a fault already.
            if (string.IsNullOrEmpty(builder.Configuration["DATABASE_URL"]))
            {
                builder.AddWrongSetting("DATABASE_URL, or ConnectionStrings__ariyadb, is not set.");
            }

            return null;
        }

        NpgsqlConnectionStringBuilder connection;
        try
        {
            connection = new NpgsqlConnectionStringBuilder(connectionString);
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or InvalidCastException or KeyNotFoundException)
        {
            // Its words may be a piece of the password.
            builder.AddWrongSetting("ConnectionStrings__ariyadb is no connection string of Npgsql: Host=…;Username=…;Password=…;Database=…");
            return null;
        }

        var isLocal = (connection.Host ?? "").Split(',').All(IsLocal);
        if (!builder.Environment.IsDevelopment() && !isLocal && connection.SslMode != SslMode.VerifyFull)
        {
            builder.Require("PostgreSQL is on another machine: sslmode=verify-full in DATABASE_URL, or SSL Mode=VerifyFull in ConnectionStrings__ariyadb, is required",
                "PostgreSQL is on another machine and is not required to prove who it is", DatabaseReason, builder.Configuration[DatabaseReason]);
        }

        return connectionString;
    }

    /// <summary>Checks the connection string of Redis. Outside Development it is required unless Redis__Optional is set; Redis itself may be away.</summary>
    /// <param name="builder">The program.</param>
    /// <param name="connectionString">As it was found; null when there is none.</param>
    /// <param name="isOptional">Whether the program may run without.</param>
    /// <param name="tlsNotRequiredBecause">The reason why it is well protected all the same; empty when there is none.</param>
    public static void CheckRedis(this IHostApplicationBuilder builder, string? connectionString, bool isOptional, string tlsNotRequiredBecause)
    {
        var isDevelopment = builder.Environment.IsDevelopment();
        if (string.IsNullOrWhiteSpace(connectionString))
        {
            if (!isDevelopment && !isOptional && string.IsNullOrEmpty(builder.Configuration["REDIS_URL"]))
            {
                builder.AddWrongSetting(
                    "REDIS_URL, or ConnectionStrings__cache, is not set. With Redis__Optional=true each instance counts limits by itself.");
            }

            return;
        }

        ConfigurationOptions? connection = null;
        try
        {
            connection = ConfigurationOptions.Parse(connectionString);
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or InvalidOperationException)
        {
            // Told below.
        }

        if (connection is null or { EndPoints.Count: 0 })
        {
            builder.AddWrongSetting("ConnectionStrings__cache is no connection string of StackExchange.Redis: host:6379,password=…,ssl=true");
            return;
        }

        var isLocal = connection.EndPoints.All(server => server switch
        {
            DnsEndPoint name => IsLocal(name.Host),
            IPEndPoint address => IPAddress.IsLoopback(address.Address),
            _ => true,
        });
        if (!isDevelopment && !isLocal && (!connection.Ssl || string.IsNullOrEmpty(connection.Password)))
        {
            builder.Require("Redis is on another machine: rediss:// with a password in REDIS_URL, or ssl=true and password=… in ConnectionStrings__cache, is required",
                "Redis is on another machine and is used without TLS or without a password", "Redis:TlsNotRequiredBecause", tlsNotRequiredBecause);
        }
    }

    /// <summary>Whether a host's name means this machine; the folder of a socket does.</summary>
    public static bool IsLocal(string host)
    {
        var name = host.Trim();
        if (name.StartsWith('/') || name.StartsWith('@'))
        {
            return true;
        }

        // "host:port" is how several hosts are listed.
        if (!IPAddress.TryParse(name, out var address) && name.LastIndexOf(':') is > 0 and var colon)
        {
            name = name[..colon];
            address = IPAddress.TryParse(name, out var parsed) ? parsed : null;
        }

        return address is null ? name.Equals("localhost", StringComparison.OrdinalIgnoreCase) : IPAddress.IsLoopback(address);
    }

    private static void Require(this IHostApplicationBuilder builder, string fault, string warning, string reasonSetting, string? reason)
    {
        if (!string.IsNullOrWhiteSpace(reason))
        {
            builder.AddSettingWarning($"{warning}, because: {reason.Trim()}");
        }
        else
        {
            builder.AddWrongSetting($"{fault}; if something else protects the way, {reasonSetting.Replace(":", "__", StringComparison.Ordinal)} holds the reason.");
        }
    }
}
