namespace Ariya.Tests.Distributed;

/// <summary>Opens pages and presses their buttons as a browser does, one request at a time: redirects are answers, not followed.</summary>
internal sealed class Browser(RunningAriya ariya) : IDisposable
{
    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false })
    {
        BaseAddress = ariya.Api.BaseAddress,
    };

    public Task<HttpResponseMessage> OpenAsync(string path) => _http.GetAsync(path);

    public async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path)
    {
        using var request = new HttpRequestMessage(method, path);
        return await _http.SendAsync(request);
    }

    /// <summary>Posts a form. Without headers of the caller's own they are those of a page whose policy is <c>no-referrer</c>.</summary>
    public async Task<HttpResponseMessage> PressAsync(
        string path, IEnumerable<(string Name, string Value)> fields, string origin = "null", string site = "same-origin")
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path)
        {
            Content = new FormUrlEncodedContent(fields.Select(field => KeyValuePair.Create(field.Name, field.Value))),
        };
        request.Headers.Add("Origin", origin);
        request.Headers.Add("Sec-Fetch-Site", site);
        request.Headers.Add("Sec-Fetch-Mode", "navigate");
        return await _http.SendAsync(request);
    }

    public void Dispose() => _http.Dispose();
}
