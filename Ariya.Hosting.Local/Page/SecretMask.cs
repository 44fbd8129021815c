using System.Text.RegularExpressions;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace Ariya.Hosting.Local.Page;

/// <summary>Hides the values of secret parameters wherever they occur, and of variables whose name says that they are secret.</summary>
internal sealed partial class SecretMask(IReadOnlyList<string> secrets)
{
    private const string Mask = "••••••";

    // A shorter value is no secret, and would blot out ordinary text.
    private const int ShortestSecret = 6;

    public static async Task<SecretMask> OfAsync(DistributedApplicationModel model, CancellationToken ct)
    {
        var values = new List<string>();
        foreach (var parameter in model.Resources.OfType<ParameterResource>().Where(parameter => parameter.Secret))
        {
            try
            {
                if (await parameter.GetValueAsync(ct) is { Length: >= ShortestSecret } value)
                {
                    values.AddRange([value, Uri.EscapeDataString(value)]);
                }
            }
            catch (Exception exception) when (exception is DistributedApplicationException or InvalidOperationException)
            {
                // It has no value, so there is nothing to hide.
            }
        }

        // The longest first: one secret may begin with another.
        return new SecretMask([.. values.Distinct().OrderByDescending(value => value.Length)]);
    }

    public string Text(string text) => secrets.Aggregate(text, (masked, secret) => masked.Replace(secret, Mask, StringComparison.Ordinal));

    public string Variable(string name, string? value)
    {
        if (string.IsNullOrEmpty(value))
        {
            return "";
        }

        return SecretName().IsMatch(name) ? Mask : PasswordInside().Replace(Text(value), $"$1$2{Mask}");
    }

    [GeneratedRegex("PASSWORD|PASSWD|SECRET|TOKEN|APIKEY|API_KEY|PRIVATE|_PASS$", RegexOptions.IgnoreCase)]
    private static partial Regex SecretName();

    // `Password=…;` and `password=…,` in connection strings, `//user:…@` in addresses.
    [GeneratedRegex("((?:password|pwd)\\s*=\\s*)[^;,]+|(//[^/:@\\s]*:)[^/@\\s]+(?=@)", RegexOptions.IgnoreCase)]
    private static partial Regex PasswordInside();
}
