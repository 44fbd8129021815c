using System.Globalization;
using System.Net;

namespace Ariya.Worker.Mail.Smtp;

internal enum SmtpSecurity
{
    /// <summary>In clear: a relay on this machine only.</summary>
    None,

    /// <summary>STARTTLS is required; without it nothing is sent.</summary>
    StartTls,

    /// <summary>TLS from the first byte (RFC 8314 section 3.3).</summary>
    Implicit,
}

/// <summary>Where mail goes and whom it is from: SMTP_HOST, SMTP_PORT, SMTP_USER, SMTP_PASSWORD, SMTP_FROM.</summary>
internal sealed record SmtpSettings(
    string Host, int Port, SmtpSecurity Security, string? User, string? Password, string FromAddress, string FromName)
{
    /// <summary>The application model's mail catcher, <c>smtp://host:port</c>; wins over SMTP_HOST.</summary>
    private const string ConnectionName = "maildev";

    /// <summary>What this machine calls itself in EHLO. Some relays refuse what could not be a host's name.</summary>
    public static string OwnName { get; } =
        Environment.MachineName.ToLowerInvariant() is var name && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '.')
            ? name
            : "localhost";

    // Long enough for a slow relay; RFC 5321 section 4.5.3.2 asks for minutes, most of all after the final dot, because
    // giving up there makes duplicates.
    public TimeSpan CommandTimeout { get; init; } = TimeSpan.FromSeconds(60);
    public TimeSpan AcceptanceTimeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>The settings, or null when no relay is named.</summary>
    /// <exception cref="InvalidOperationException">The message names the setting that is wrong.</exception>
    public static SmtpSettings? Read(IConfiguration configuration)
    {
        var (host, port) = Relay(configuration);
        if (host is null)
        {
            return null;
        }

        var user = configuration["SMTP_USER"] is { Length: > 0 } name ? name : null;
        var (fromAddress, fromName) = From(configuration["SMTP_FROM"] is { Length: > 0 } from ? from : "Ariya <no-reply@ariya.localhost>");
        return new SmtpSettings(host, port, SecurityOf(host, port), user, user is null ? null : configuration["SMTP_PASSWORD"], fromAddress, fromName);
    }

    private static (string? Host, int Port) Relay(IConfiguration configuration)
    {
        if (configuration.GetConnectionString(ConnectionName) is { Length: > 0 } connection)
        {
            return Uri.TryCreate(connection, UriKind.Absolute, out var url) && url.Scheme == "smtp" && url.Port > 0
                ? (url.Host, url.Port)
                : throw new InvalidOperationException($"ConnectionStrings:{ConnectionName} must look like smtp://host:port");
        }

        var port = configuration["SMTP_PORT"] is { Length: > 0 } text ? text : "587";
        return int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number is > 0 and <= 65535
            ? (configuration["SMTP_HOST"] is { Length: > 0 } host ? host : null, number)
            : throw new InvalidOperationException("SMTP_PORT must be a number from 1 to 65535");
    }

    // Nothing is sent in clear over a network, whatever the port.
    private static SmtpSecurity SecurityOf(string host, int port) => port switch
    {
        465 => SmtpSecurity.Implicit,
        587 => SmtpSecurity.StartTls,
        _ => host == "localhost" || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address))
            ? SmtpSecurity.None
            : SmtpSecurity.StartTls,
    };

    // "Name <address>" or "address"
    private static (string Address, string Name) From(string value)
    {
        var open = value.LastIndexOf('<');
        var (address, name) = open >= 0 && value.EndsWith('>')
            ? (value[(open + 1)..^1].Trim(), value[..open].Trim().Trim('"'))
            : (value.Trim(), "");
        return address.Count(letter => letter == '@') == 1 && !address.Any(letter => letter <= ' ' || letter is '<' or '>') && !name.Any(char.IsControl)
            ? (address, name)
            : throw new InvalidOperationException("SMTP_FROM must look like no-reply@example.com or Example <no-reply@example.com>");
    }
}
