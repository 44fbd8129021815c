using System.Security.Cryptography;
using System.Text.Json;
using Aspire.Hosting.ApplicationModel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Ariya.Hosting.Local.Page;

/// <summary>
/// The page of the host: what runs, how it is, its console, and start, stop and restart. For the one who started the host, on
/// this machine: see <see cref="PageGuard"/>.
/// </summary>
internal sealed class HostPage(
    DistributedApplicationModel model, ResourceNotificationService notifications, ResourceLoggerService consoles,
    ResourceCommandService commands, IConfiguration configuration) : IHostedService, IAsyncDisposable
{
    private const string DefaultUrl = "http://localhost:15000";

    private readonly ResourceFeed _feed = new(model, notifications, consoles);
    private readonly PageGuard _guard = new(NewToken());
    private readonly CancellationTokenSource _stopping = new();
    private readonly int _port = PortOf(configuration);
    private WebApplication? _server;

    /// <summary>The address to open, with the token that lets a browser in.</summary>
    public string Url => $"http://localhost:{_port}/?t={_guard.Token}";

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        // Nothing of the host's own settings reaches this server: no address, no folder, no logging.
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions
        {
            EnvironmentName = Environments.Production,
            ContentRootPath = AppContext.BaseDirectory,
        });
        builder.Configuration.Sources.Clear();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<IHostLifetime, HostedLifetime>();
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(2));
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.ListenLocalhost(_port);
        });

        var server = builder.Build();
        server.Use(_guard.CheckAsync);
        server.MapGet("/", ShowAsync);
        server.MapGet("/events", Events);
        server.MapPost("/resources/{name}/{command}", ExecuteAsync);
        await server.StartAsync(cancellationToken);
        _server = server;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        // Open event streams end first, or the server would wait for them.
        await _stopping.CancelAsync();
        if (_server is not null)
        {
            await _server.StopAsync(cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        _stopping.Dispose();
    }

    private static async Task ShowAsync(HttpContext context)
    {
        using var resource = typeof(HostPage).Assembly.GetManifestResourceStream("page.html")!;
        using var reader = new StreamReader(resource);
        var nonce = NewToken();
        context.Response.Headers.ContentSecurityPolicy =
            $"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; img-src data:; "
            + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
        context.Response.ContentType = "text/html; charset=utf-8";
        var html = await reader.ReadToEndAsync(context.RequestAborted);
        await context.Response.WriteAsync(html.Replace("{nonce}", nonce, StringComparison.Ordinal), context.RequestAborted);
    }

    /// <summary>One stream per window: the state of all resources and the console of the one that is shown.</summary>
    private ServerSentEventsResult<object> Events(HttpContext context, string? console)
    {
        var ending = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _stopping.Token);
        context.Response.RegisterForDispose(ending);
        return TypedResults.ServerSentEvents(_feed.ReadAsync(console, ending.Token));
    }

    private async Task ExecuteAsync(HttpContext context, string name, string command)
    {
        if (!model.Resources.TryGetByName(name, out var resource) || command is not ("start" or "stop" or "restart"))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        // A closed window does not undo the command half way.
        var result = await commands.ExecuteCommandAsync(resource.Name, command, _stopping.Token);
        context.Response.StatusCode = result.Success ? StatusCodes.Status204NoContent : StatusCodes.Status409Conflict;
        if (!result.Success)
        {
            context.Response.ContentType = "application/json";
            await context.Response.WriteAsync(JsonSerializer.Serialize(result.Message), context.RequestAborted);
        }
    }

    /// <summary><c>Ports:host:http</c> first: under `dotnet run` the launch profile overrides the caller's ASPNETCORE_URLS.</summary>
    public static int PortOf(IConfiguration configuration)
    {
        if (configuration.GetValue<int?>("Ports:host:http") is { } port and not 0)
        {
            return port;
        }

        var urls = configuration["ASPNETCORE_URLS"] ?? DefaultUrl;
        var first = urls.Split(';').FirstOrDefault(url => url.StartsWith("http://", StringComparison.OrdinalIgnoreCase));
        // `http://*:15000` is no address that Uri reads; the host part does not matter here.
        return BindingAddress.Parse(first ?? DefaultUrl).Port;
    }

    private static string NewToken() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    /// <summary>The host decides when the page ends; the default lifetime would listen to signals of its own.</summary>
    private sealed class HostedLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
