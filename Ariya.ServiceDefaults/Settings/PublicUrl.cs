using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;

namespace Ariya.ServiceDefaults.Settings;

/// <summary>Where people reach the product: the issuer of tokens and the start of mailed links. Never taken from a request.</summary>
public sealed record PublicUrl(Uri Base)
{
    public const string Setting = "APP_URL";

    /// <exception cref="InvalidOperationException">
    /// APP_URL is missing or not an absolute http(s) address without query; or, outside Development, not https: links are mailed with it.
    /// </exception>
    public static PublicUrl Read(IConfiguration configuration, IHostEnvironment environment)
    {
        if (!Uri.TryCreate(configuration[Setting], UriKind.Absolute, out var url)
            || url.Scheme is not ("http" or "https") || url.Query.Length > 0 || url.UserInfo.Length > 0)
        {
            throw new InvalidOperationException($"{Setting} must be the address people use, such as https://accounts.example.com");
        }

        return url.Scheme == "https" || environment.IsDevelopment()
            ? new PublicUrl(url)
            : throw new InvalidOperationException($"{Setting} must start with https:// outside Development, on this machine too.");
    }

    /// <summary>The base without a slash at the end, as it stands in tokens.</summary>
    public string Issuer => Base.AbsoluteUri.TrimEnd('/');

    /// <summary>A page of the product with a mailed token; 256 bits in base64url need no escaping.</summary>
    public string Link(string path, string token) => $"{Issuer}/{path}?token={token}";
}
