using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Ariya.Api.Accounts;
using Ariya.Api.Auth;
using Ariya.Api.Sessions;
using Ariya.Tests.ServiceDefaults;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Ariya.Tests.Contract;

/// <summary>The API in this process, over Kestrel, with servers that are away unless named.</summary>
public sealed class ApiHost : WebApplicationFactory<RegisterRequest>
{
    public const string JwtSecret = "contract tests: 0123456789 abcdefghij ABCDEFGHIJ";
    public const string JwtRefreshSecret = "contract tests: refresh 0123456789 abcdefghij ABC";

    private const string Token = "a token that was checked before";

    private readonly string _database;
    private readonly string _cache;
    private readonly (string Name, string Value)[] _settings;

    public ApiHost()
        : this(null, null)
    {
    }

    private ApiHost(string? database, string? cache, params (string Name, string Value)[] settings)
    {
        _settings = settings;
        _database = database ?? DatabaseAt(WebHost.ClosedPort());
        _cache = cache ?? $"127.0.0.1:{WebHost.ClosedPort()}";
        ClientOptions.AllowAutoRedirect = false;
        UseKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
    }

    /// <summary>What this instance takes for the time, if not the machine's.</summary>
    public TimeProvider? Clock { get; init; }

    public static ApiHost With(string? database, string? cache, params (string Name, string Value)[] settings) => new(database, cache, settings);

    public static ApiHost At(TimeProvider clock, string? database, string? cache) => new(database, cache) { Clock = clock };

    public static string DatabaseAt(int port) => $"Host=127.0.0.1;Port={port};Username=u;Password=p;Database=d";

    /// <summary>A request, as a signed-in caller: the token counts as one that was checked a moment ago.</summary>
    public async Task<HttpResponseMessage> SendAsync(
        HttpMethod method, string path, string? body = null, string contentType = "application/json", bool signedIn = true)
    {
        using var client = CreateClient();
        using var request = new HttpRequestMessage(method, path);
        if (body is not null)
        {
            request.Content = new StringContent(body, Encoding.UTF8, contentType);
        }

        if (signedIn)
        {
            var account = new AccountBody(Guid.CreateVersion7(), "ada@example.com", "Ada", "Lovelace", true, [], null, null);
            var cache = Services.GetRequiredService<CallerCache>();
            var clock = Services.GetRequiredService<TimeProvider>();
            cache.Keep(Token, clock.GetUtcNow().AddMinutes(1), new Caller(Guid.CreateVersion7(), account, 1));
            // What has changed is known for as long, however busy this machine is meanwhile.
            cache.Learn(clock.GetTimestamp() + (60 * clock.TimestampFrequency), []);
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Token);
        }

        return await client.SendAsync(request);
    }

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        builder.UseEnvironment("Production");
        builder.UseSetting("ConnectionStrings:ariyadb", _database);
        builder.UseSetting("ConnectionStrings:cache", _cache);
        builder.UseSetting("JWT_SECRET", JwtSecret);
        builder.UseSetting("JWT_REFRESH_SECRET", JwtRefreshSecret);
        builder.UseSetting("Shutdown:DrainDelay", "00:00:00");
        builder.UseSetting("APP_URL", "https://accounts.example.com");
        foreach (var (name, value) in _settings)
        {
            builder.UseSetting(name, value);
        }

        builder.ConfigureLogging(logging => logging.ClearProviders());
        // It would forget the caller above, as it should when the database is away.
        builder.ConfigureTestServices(services =>
        {
            services.Remove(services.Single(service => service.ImplementationType == typeof(ChangeWatch)));
            if (Clock is not null)
            {
                services.AddSingleton(Clock);
            }
        });
    }
}
