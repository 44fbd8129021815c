using System.Globalization;
using Ariya.Hosting.Local.Processes;
using Ariya.Tests.Contract;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Programs;

/// <summary>The API's own program, in Production.</summary>
internal sealed class ApiProcess : ProgramProcess
{
    private ApiProcess(int port, IEnumerable<(string Name, string Value)> settings, bool isRead)
        : base("Ariya.Api", [],
        [
            ("ASPNETCORE_ENVIRONMENT", "Production"), ("ASPNETCORE_URLS", string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}")),
            ("JWT_SECRET", ApiHost.JwtSecret), ("JWT_REFRESH_SECRET", ApiHost.JwtRefreshSecret), ("APP_URL", "https://accounts.example.com"), .. settings,
        ], isRead)
    {
        Client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
    }

    public HttpClient Client { get; }

    public static ApiProcess Start(string database, string redis, params (string Name, string Value)[] settings) =>
        new(Ports.Pick(), [("ConnectionStrings__ariyadb", database), ("ConnectionStrings__cache", redis), .. settings], isRead: true);

    /// <summary>Its standard output goes to a pipe that nobody reads.</summary>
    public static ApiProcess StartUnread(string database, string redis, params (string Name, string Value)[] settings) =>
        new(Ports.Pick(), [("ConnectionStrings__ariyadb", database), ("ConnectionStrings__cache", redis), .. settings], isRead: false);

    public Task ReadyAsync() => Wait.UntilAsync("a ready instance", TimeSpan.FromSeconds(30), async () =>
    {
        Assert.False(Process.HasExited, Output);
        try
        {
            using var answer = await Client.GetAsync(new Uri("/health", UriKind.Relative));
            return answer.IsSuccessStatusCode ? "" : null;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    });

    public override ValueTask DisposeAsync()
    {
        Client.Dispose();
        return base.DisposeAsync();
    }
}
