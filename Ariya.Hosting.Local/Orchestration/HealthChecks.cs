using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;

namespace Ariya.Hosting.Local.Orchestration;

/// <summary>It answers a query, in the database that its connection string names.</summary>
internal sealed class PostgresHealthCheck(IResourceWithConnectionString resource) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            var settings = new NpgsqlConnectionStringBuilder(await resource.GetConnectionStringAsync(cancellationToken))
            {
                Pooling = false,
                Timeout = 3,
            };
            await using var connection = new NpgsqlConnection(settings.ConnectionString);
            await connection.OpenAsync(cancellationToken);
            await using var command = new NpgsqlCommand("select 1", connection);
            await command.ExecuteScalarAsync(cancellationToken);
            return HealthCheckResult.Healthy();
        }
        catch (Exception e) when (e is NpgsqlException or ArgumentException or InvalidOperationException or TimeoutException)
        {
            return new HealthCheckResult(context.Registration.FailureStatus, e.Message, e);
        }
    }
}

/// <summary>It accepts the password of its connection string and answers PING.</summary>
internal sealed class RedisHealthCheck(IResourceWithConnectionString resource) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            var reply = await PingAsync(await resource.GetConnectionStringAsync(cancellationToken) ?? "", cancellationToken);
            return reply == "+PONG"
                ? HealthCheckResult.Healthy()
                : new HealthCheckResult(context.Registration.FailureStatus, $"PING was answered with {reply}.");
        }
        catch (Exception e) when (e is SocketException or IOException or FormatException or InvalidOperationException)
        {
            return new HealthCheckResult(context.Registration.FailureStatus, e.Message, e);
        }
    }

    private static async Task<string> PingAsync(string connectionString, CancellationToken cancellationToken)
    {
        var parts = connectionString.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        var options = parts.Where(p => p.Contains('=')).Select(p => p.Split('=', 2))
            .ToDictionary(p => p[0], p => p[1], StringComparer.OrdinalIgnoreCase);
        var address = parts.First(p => !p.Contains('='));
        var colon = address.LastIndexOf(':');
        var host = colon < 0 ? address : address[..colon];

        using var client = new TcpClient();
        var port = colon < 0 ? 6379 : int.Parse(address[(colon + 1)..], CultureInfo.InvariantCulture);
        await client.ConnectAsync(host, port, cancellationToken);
        await using Stream stream = options.GetValueOrDefault("ssl") == "true" ? new SslStream(client.GetStream()) : client.GetStream();
        if (stream is SslStream tls)
        {
            await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = host }, cancellationToken);
        }

        using var reader = new StreamReader(stream, Encoding.ASCII);
        if (options.TryGetValue("password", out var password))
        {
            string[] login = options.TryGetValue("user", out var user) ? [user, password] : [password];
            await SendAsync(stream, ["AUTH", .. login], cancellationToken);
            if (await reader.ReadLineAsync(cancellationToken) is not "+OK" and var refusal)
            {
                return refusal ?? "nothing";
            }
        }

        await SendAsync(stream, ["PING"], cancellationToken);
        return await reader.ReadLineAsync(cancellationToken) ?? "nothing";
    }

    private static async Task SendAsync(Stream stream, string[] command, CancellationToken cancellationToken)
    {
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"*{command.Length}\r\n");
        foreach (var part in command)
        {
            text.Append(CultureInfo.InvariantCulture, $"${Encoding.UTF8.GetByteCount(part)}\r\n{part}\r\n");
        }

        await stream.WriteAsync(Encoding.UTF8.GetBytes(text.ToString()), cancellationToken);
    }
}

internal sealed class HttpHealthCheck(EndpointReference endpoint, string path, int statusCode) : IHealthCheck
{
    private static readonly HttpClient s_client = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false });

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            var url = new Uri(new Uri(endpoint.Url), path);
            using var answer = await s_client.GetAsync(url, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            return (int)answer.StatusCode == statusCode
                ? HealthCheckResult.Healthy()
                : new HealthCheckResult(
                    context.Registration.FailureStatus, $"{url} answered {(int)answer.StatusCode} instead of {statusCode}.");
        }
        catch (Exception e) when (e is HttpRequestException or InvalidOperationException)
        {
            return new HealthCheckResult(context.Registration.FailureStatus, e.Message, e);
        }
    }
}
