using System.Net;
using Ariya.Hosting.Local.Page;
using Ariya.Hosting.Local.Processes;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Ariya.Tests.HostingLocal.Processes;

public sealed class HostPageTests : IAsyncLifetime, IDisposable
{
    private readonly HttpClient _browser = new(new HttpClientHandler { UseProxy = false });
    private readonly DistributedApplication _application;
    private readonly HostPage _page;
    private readonly string _origin;

    public HostPageTests()
    {
        _origin = $"http://localhost:{Ports.Pick()}";
        var builder = DistributedApplication.CreateBuilder([]);
        builder.AddParameter("key", "a well kept secret", secret: true);
        builder.AddRedis("cache");
        builder.AddPostgres("postgres").AddDatabase("ledger");
        _application = builder.Build();
        var services = _application.Services;
        _page = new HostPage(
            services.GetRequiredService<DistributedApplicationModel>(),
            _application.ResourceNotifications,
            services.GetRequiredService<ResourceLoggerService>(),
            _application.ResourceCommands,
            new ConfigurationBuilder().AddInMemoryCollection([new("ASPNETCORE_URLS", _origin)]).Build());
    }

    public Task InitializeAsync() => _page.StartAsync(CancellationToken.None);

    public void Dispose()
    {
        _browser.Dispose();
    }

    public async Task DisposeAsync()
    {
        await _page.StopAsync(CancellationToken.None);
        await _page.DisposeAsync();
        await _application.DisposeAsync();
    }

    [Fact]
    public async Task ThePageIsEmptyWithoutTheTokenAndNobodyGetsACookie()
    {
        using var opened = await _browser.GetAsync(_page.Url);
        using var reloaded = await _browser.GetAsync(_origin + "/");

        Assert.Equal(HttpStatusCode.OK, opened.StatusCode);
        Assert.Equal(HttpStatusCode.OK, reloaded.StatusCode);
        Assert.False(opened.Headers.Contains("Set-Cookie"));
        Assert.DoesNotContain("cache", await reloaded.Content.ReadAsStringAsync());
        Assert.DoesNotContain(Token, await opened.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("/events")]
    [InlineData("/events?t=guessed")]
    [InlineData("/events?console=cache")]
    [InlineData("/resources")]
    public async Task WithoutTheTokenNothingIsShown(string path)
    {
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(HttpMethod.Get, path));
    }

    [Fact]
    public async Task ANameThatOnlyPointsHereIsRefused()
    {
        Assert.Equal(HttpStatusCode.MisdirectedRequest, await StatusAsync(HttpMethod.Get, "/", host: "ariya.example"));
    }

    [Theory]
    [InlineData(null, null)]
    [InlineData("http://localhost:3000", "same-site")]
    [InlineData("null", null)]
    [InlineData("self", "cross-site")]
    public async Task ACommandFromElsewhereIsRefused(string? origin, string? site)
    {
        var status = await StatusAsync(
            HttpMethod.Post, "/resources/cache/stop", origin: origin == "self" ? _origin : origin, site: site, token: Token);

        Assert.Equal(HttpStatusCode.Forbidden, status);
    }

    [Fact]
    public async Task ACommandFromThePageNeedsTheTokenInItsHeader()
    {
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(HttpMethod.Post, "/resources/cache/stop", origin: _origin));
        Assert.Equal(
            HttpStatusCode.Unauthorized, await StatusAsync(HttpMethod.Post, $"/resources/cache/stop?t={Token}", origin: _origin));
        Assert.Equal(
            HttpStatusCode.NotFound, await StatusAsync(HttpMethod.Post, "/resources/nothing/stop", origin: _origin, token: Token));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(HttpMethod.Post, "/resources/cache/drop", origin: _origin, token: Token));
    }

    [Theory]
    [InlineData("http://*:23001", null, 23001)]
    [InlineData("http://localhost:23001", "23002", 23002)]
    [InlineData(null, "23002", 23002)]
    [InlineData(null, null, 15000)]
    public void ThePortOfThePageIsThatOfItsOwnSettingFirst(string? urls, string? port, int expected)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new("ASPNETCORE_URLS", urls), new("Ports:host:http", port)]);

        Assert.Equal(expected, HostPage.PortOf(configuration.Build()));
    }

    [Fact]
    public async Task KindsAreSaidInPlainWords()
    {
        foreach (var resource in _application.Services.GetRequiredService<DistributedApplicationModel>().Resources)
        {
            await _application.ResourceNotifications.PublishUpdateAsync(resource, snapshot => snapshot with { ExitCode = null });
        }

        var text = await ReadEventsAsync("/events", until: "\"ledger\"");

        Assert.Contains("\"name\":\"cache\",\"type\":\"server\"", text);
        Assert.Contains("\"name\":\"ledger\",\"type\":\"database\"", text);
    }

    [Fact]
    public async Task SecretsAreMaskedInSettingsAndConsoles()
    {
        await _application.ResourceNotifications.PublishUpdateAsync(Cache, snapshot => snapshot with
        {
            State = KnownResourceStates.Running,
            EnvironmentVariables =
            [
                new EnvironmentVariableSnapshot("SIGNED_WITH", "a well kept secret", true),
                new EnvironmentVariableSnapshot("ConnectionStrings__db", "Host=here;Password=open sesame;Port=1", true),
                new EnvironmentVariableSnapshot("PROXY", "http://user:opensesame@localhost:8080", true),
                new EnvironmentVariableSnapshot("ADDRESS", "http://localhost:8080", true),
            ],
        });
        _application.Services.GetRequiredService<ResourceLoggerService>().Append("cache", "using a well kept secret now", isError: false);

        var text = await ReadEventsAsync("/events?console=cache", until: "using");

        Assert.DoesNotContain("well kept", text);
        Assert.DoesNotContain("sesame", text);
        Assert.Contains("Host=here;", text);
        Assert.Contains("http://localhost:8080", text);
    }

    private string Token => new Uri(_page.Url).Query["?t=".Length..];

    private IResource Cache =>
        _application.Services.GetRequiredService<DistributedApplicationModel>().Resources.Single(resource => resource.Name == "cache");

    private async Task<string> ReadEventsAsync(string path, string until)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        using var reader = new StreamReader(await _browser.GetStreamAsync(
            $"{_origin}{path}{(path.Contains('?') ? '&' : '?')}t={Token}", deadline.Token));
        var text = "";
        while (!text.Contains(until) && await reader.ReadLineAsync(deadline.Token) is { } line)
        {
            text += line + "\n";
        }

        return text;
    }

    private async Task<HttpStatusCode> StatusAsync(
        HttpMethod method, string path, string? host = null, string? origin = null, string? site = null, string? token = null)
    {
        using var request = new HttpRequestMessage(method, _origin + path);
        request.Headers.Host = host;
        if (origin is not null)
        {
            request.Headers.Add("Origin", origin);
        }

        if (site is not null)
        {
            request.Headers.Add("Sec-Fetch-Site", site);
        }

        if (token is not null)
        {
            request.Headers.Add(PageGuard.Header, token);
        }

        using var response = await _browser.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        return response.StatusCode;
    }
}
