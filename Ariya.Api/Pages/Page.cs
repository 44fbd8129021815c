using System.Collections.Frozen;
using System.Text.Encodings.Web;
using System.Text.RegularExpressions;

namespace Ariya.Api.Pages;

/// <summary>The pages that mailed links open: embedded HTML without script, every value encoded.</summary>
internal static partial class Page
{
    private static readonly FrozenDictionary<string, string> s_files = typeof(Page).Assembly.GetManifestResourceNames()
        .Where(name => name.Contains(".Pages.", StringComparison.Ordinal))
        .ToFrozenDictionary(name => name[(name.IndexOf(".Pages.", StringComparison.Ordinal) + ".Pages.".Length)..], Read);

    /// <param name="file">Name of the HTML file, the content between header and footer.</param>
    /// <param name="status">HTTP status.</param>
    /// <param name="values">What stands for <c>{{name}}</c>.</param>
    public static IResult Render(string file, int status = StatusCodes.Status200OK, params (string Name, string Value)[] values)
    {
        var byName = values.ToDictionary(value => value.Name, value => value.Value);
        // One pass: what stands in a value is never looked at as a place.
        var body = Place().Replace(s_files[file], place => HtmlEncoder.Default.Encode(byName[place.Groups[1].Value]));
        return Results.Text(s_files["Layout.html"].Replace("{{content}}", body, StringComparison.Ordinal), "text/html; charset=utf-8", statusCode: status);
    }

    public static IResult Stylesheet(HttpContext http)
    {
        http.Response.Headers.CacheControl = "public, max-age=3600";
        return Results.Text(s_files["pages.css"], "text/css; charset=utf-8");
    }

    /// <summary>
    /// The form that one of these pages posted; null for anything else. The pages set no cookie, so there is nothing to forge; this only keeps other
    /// sites from driving them. <c>Origin: null</c> is no error: with <c>no-referrer</c> browsers send it on a page's own form.
    /// </summary>
    public static async Task<IFormCollection?> ReadOwnFormAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        if (request.Headers["Sec-Fetch-Site"].ToString() is not ("" or "same-origin" or "none") || !request.HasFormContentType)
        {
            return null;
        }

        try
        {
            // Given the token, the framework cuts the connection when it ends, and nobody is told why.
            return await request.ReadFormAsync(CancellationToken.None).WaitAsync(cancellationToken);
        }
        catch (InvalidDataException)
        {
            // Not what a form of ours sends: no boundary, or a thousand fields.
            return null;
        }
    }

    /// <summary>303: the browser follows with a GET, and the address it keeps carries no token.</summary>
    public static IResult SeeOther(string location) => new SeeOtherResult(location);

    [GeneratedRegex(@"\{\{(\w+)\}\}")]
    private static partial Regex Place();

    private sealed class SeeOtherResult(string location) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.StatusCode = StatusCodes.Status303SeeOther;
            httpContext.Response.Headers.Location = location;
            return Task.CompletedTask;
        }
    }

    private static string Read(string resource)
    {
        using var reader = new StreamReader(typeof(Page).Assembly.GetManifestResourceStream(resource)!);
        return reader.ReadToEnd();
    }
}
