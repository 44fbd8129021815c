using Microsoft.Extensions.Configuration;

namespace Ariya.ServiceDefaults.Settings;

/// <summary>Where people reach the product: the issuer of tokens and the start of mailed links. Never taken from a request.</summary>
public sealed record PublicUrl(Uri Base)
{
    public const string Setting = "APP_URL";

    /// <exception cref="InvalidOperationException">APP_URL is missing or not an absolute http(s) address without query.</exception>
    public static PublicUrl Read(IConfiguration configuration)
    {
        return Uri.TryCreate(configuration[Setting], UriKind.Absolute, out var url)
            && url.Scheme is "http" or "https" && url.Query.Length == 0 && url.UserInfo.Length == 0
            ? new PublicUrl(url)
            : throw new InvalidOperationException($"{Setting} must be the address people use, such as https://accounts.example.com");
    }

    /// <summary>The base without a slash at the end, as it stands in tokens.</summary>
    public string Issuer => Base.AbsoluteUri.TrimEnd('/');

    /// <summary>A page of the product with a mailed token; 256 bits in base64url need no escaping.</summary>
    public string Link(string path, string token) => $"{Issuer}/{path}?token={token}";
}
