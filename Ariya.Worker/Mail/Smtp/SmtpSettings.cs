using System.Globalization;
using Ariya.ServiceDefaults.Settings;

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
    /// <exception cref="InvalidOperationException">The message names the settings that are wrong, one a line.</exception>
    public static SmtpSettings? Read(IConfiguration configuration)
    {
        var faults = new List<string>();
        var (host, port) = Relay(configuration, faults);
        var (fromAddress, fromName) = From(configuration["SMTP_FROM"] is { Length: > 0 } from ? from : "Ariya <no-reply@ariya.localhost>", faults);
        if (faults.Count > 0)
        {
            throw new InvalidOperationException(string.Join('\n', faults));
        }

        if (host is null)
        {
            return null;
        }

        var user = configuration["SMTP_USER"] is { Length: > 0 } name ? name : null;
        return new SmtpSettings(host, port, SecurityOf(host, port), user, user is null ? null : configuration["SMTP_PASSWORD"], fromAddress, fromName);
    }

    private static (string? Host, int Port) Relay(IConfiguration configuration, List<string> faults)
    {
        if (configuration.GetConnectionString(ConnectionName) is { Length: > 0 } connection)
        {
            if (Uri.TryCreate(connection, UriKind.Absolute, out var url) && url.Scheme == "smtp" && url.Port > 0)
            {
                return (url.Host, url.Port);
            }

            faults.Add($"ConnectionStrings__{ConnectionName} must look like smtp://host:port");
            return default;
        }

        var port = configuration["SMTP_PORT"] is { Length: > 0 } text ? text : "587";
        if (!int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number is 0 or > 65535)
        {
            faults.Add("SMTP_PORT must be a number from 1 to 65535");
        }

        return (configuration["SMTP_HOST"] is { Length: > 0 } host ? host : null, number);
    }

    // Nothing is sent in clear over a network, whatever the port.
    private static SmtpSecurity SecurityOf(string host, int port) => port switch
    {
        465 => SmtpSecurity.Implicit,
        587 => SmtpSecurity.StartTls,
        _ => ServerConnections.IsLocal(host) ? SmtpSecurity.None : SmtpSecurity.StartTls,
    };

    // "Name <address>" or "address"
    private static (string Address, string Name) From(string value, List<string> faults)
    {
        var open = value.LastIndexOf('<');
        var (address, name) = open >= 0 && value.EndsWith('>')
            ? (value[(open + 1)..^1].Trim(), value[..open].Trim().Trim('"'))
            : (value.Trim(), "");
        if (address.Count(letter => letter == '@') != 1 || address.Any(letter => letter <= ' ' || letter is '<' or '>') || name.Any(char.IsControl))
        {
            faults.Add("SMTP_FROM must look like no-reply@example.com or Example <no-reply@example.com>");
        }

        return (address, name);
    }
}
