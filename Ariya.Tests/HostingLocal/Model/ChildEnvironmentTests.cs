using System.Collections;
using Ariya.Hosting.Local.Orchestration;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;

namespace Ariya.Tests.HostingLocal.Model;

public class ChildEnvironmentTests
{
    [Fact]
    public async Task ReferencesBecomeTheVariablesThatClientsRead()
    {
        using var deadline = ShellModel.Deadline();
        var builder = DistributedApplicationTestingBuilder.Create(
            ["Parameters:postgres-password=p;w", "Parameters:cache_password=redis-pw"]);
        var database = builder.AddPostgres("postgres").WithExplicitStart().AddDatabase("accounts-db", "ariyadb");
        var cache = builder.AddRedis("cache").WithExplicitStart();
        builder.AddExecutable("program", "env", Path.GetTempPath())
            .WithReference(database).WithReference(cache).WithReference(cache, connectionName: "limits");

        await using var app = await builder.StartedAsync(deadline.Token);
        await app.EndOfAsync("program", deadline.Token);
        var lines = app.LinesOf("program");
        var postgresPort = PortOf(builder, "postgres");
        var cachePort = PortOf(builder, "cache");

        string[] expected =
        [
            $"ConnectionStrings__accounts-db=Host=localhost;Port={postgresPort};Username=postgres;Password=p;w;Database=ariyadb",
            "ACCOUNTS_DB_HOST=localhost", $"ACCOUNTS_DB_PORT={postgresPort}", "ACCOUNTS_DB_USERNAME=postgres",
            "ACCOUNTS_DB_PASSWORD=p;w", "ACCOUNTS_DB_DATABASENAME=ariyadb",
            $"ACCOUNTS_DB_URI=postgresql://postgres:p%3Bw@localhost:{postgresPort}/ariyadb",
            $"ACCOUNTS_DB_JDBCCONNECTIONSTRING=jdbc:postgresql://localhost:{postgresPort}/ariyadb",
            $"ConnectionStrings__cache=localhost:{cachePort},password=redis-pw",
            "CACHE_HOST=localhost", $"CACHE_PORT={cachePort}", "CACHE_PASSWORD=redis-pw",
            $"CACHE_URI=redis://:redis-pw@localhost:{cachePort}",
            $"ConnectionStrings__limits=localhost:{cachePort},password=redis-pw",
        ];
        Assert.All(expected, line => Assert.Contains(line, lines));
        Assert.Equal(expected[0].Split('=', 2)[1], await app.GetConnectionStringAsync("accounts-db", deadline.Token));
    }

    [Fact]
    public async Task ProjectGetsItsLaunchProfileAndItsAddress()
    {
        using var deadline = ShellModel.Deadline();
        var builder = DistributedApplicationTestingBuilder.Create();
        var api = builder.AddProject<Projects.Ariya_Api>("api").WithEnvironment("ConnectionStrings__ariyadb", "Host=127.0.0.1;Port=1");
        builder.AddExecutable("program", "env", Path.GetTempPath()).WithReference(api).WithEnvironment("APP_URL", api.GetEndpoint("http"));

        await using var app = await builder.StartedAsync(deadline.Token);
        await app.EndOfAsync("program", deadline.Token);
        var running = await app.ResourceNotifications.WaitForResourceAsync(
            "api", e => !e.Snapshot.EnvironmentVariables.IsEmpty, deadline.Token);
        var variables = running.Snapshot.EnvironmentVariables.ToDictionary(v => v.Name, v => v.Value);
        var address = app.GetEndpoint("api").ToString().TrimEnd('/');

        Assert.Equal(address, variables["ASPNETCORE_URLS"]);
        Assert.Equal("Development", variables["ASPNETCORE_ENVIRONMENT"]);
        Assert.Equal("http", variables["DOTNET_LAUNCH_PROFILE"]);
        Assert.Equal("api", variables["OTEL_SERVICE_NAME"]);
        Assert.StartsWith("service.instance.id=", variables["OTEL_RESOURCE_ATTRIBUTES"]);
        Assert.NotEqual(8080, app.GetEndpoint("api").Port);
        string[] expected = [$"services__api__http__0={address}", $"API_HTTP={address}", $"APP_URL={address}"];
        Assert.All(expected, line => Assert.Contains(line, app.LinesOf("program")));
    }

    [Theory]
    [InlineData("DATABASE_URL")]
    [InlineData("REDIS_URL")]
    [InlineData("SMTP_HOST")]
    [InlineData("ASPNETCORE_URLS")]
    [InlineData("ASPNETCORE_ENVIRONMENT")]
    [InlineData("DOTNET_ENVIRONMENT")]
    [InlineData("DOTNET_LAUNCH_PROFILE")]
    [InlineData("ASPIRE_ALLOW_UNSECURED_TRANSPORT")]
    public void VariablesOfTheHostAndOfOtherServersAreNotInherited(string name)
    {
        var inherited = ChildEnvironment.InheritedFrom(
            new Hashtable { [name] = "x", ["PATH"] = "/bin", ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "y" });

        Assert.Equal(["OTEL_EXPORTER_OTLP_ENDPOINT", "PATH"], inherited.Keys.Order());
    }

    [Fact]
    public async Task DatabaseOfTheCallersShellDoesNotReachTheChildren()
    {
        using var deadline = ShellModel.Deadline();
        Environment.SetEnvironmentVariable("SMTP_OF_THE_CALLER", "relay");
        Environment.SetEnvironmentVariable("HEIRLOOM_OF_THE_CALLER", "kept");
        var builder = DistributedApplicationTestingBuilder.Create();
        builder.AddExecutable("program", "env", Path.GetTempPath());

        await using var app = await builder.StartedAsync(deadline.Token);
        await app.EndOfAsync("program", deadline.Token);

        Assert.Contains("HEIRLOOM_OF_THE_CALLER=kept", app.LinesOf("program"));
        Assert.DoesNotContain(app.LinesOf("program"), line => line.StartsWith("SMTP_OF_THE_CALLER", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ConnectionStringFromOutsideIsPassedOnAndNothingIsStarted()
    {
        using var deadline = ShellModel.Deadline();
        const string Given = "Host=db.example;Database=elsewhere";
        var builder = DistributedApplicationTestingBuilder.Create(
            [$"ConnectionStrings:ariyadb={Given}", "ConnectionStrings:cache=redis.example:1"]);
        var database = builder.AddPostgres("postgres").AddDatabase("ariyadb");
        var cache = builder.AddRedis("cache");
        builder.AddExecutable("program", "env", Path.GetTempPath()).WithReference(database).WithReference(cache);

        await using var app = await builder.StartedAsync(deadline.Token);
        await app.EndOfAsync("program", deadline.Token);

        Assert.Contains($"ConnectionStrings__ariyadb={Given}", app.LinesOf("program"));
        Assert.Contains("ConnectionStrings__cache=redis.example:1", app.LinesOf("program"));
        Assert.All(["postgres", "ariyadb", "cache"], name => Assert.False(app.HasProcess(name)));
        Assert.All(["postgres", "ariyadb", "cache"], name => Assert.Equal(KnownResourceStates.Running, app.StateOf(name).State!.Text));
        Assert.Equal(Given, await app.GetConnectionStringAsync("ariyadb", deadline.Token));
    }

    private static int PortOf(IDistributedApplicationTestingBuilder builder, string name)
    {
        Assert.True(builder.Resources.TryGetByName(name, out var resource));
        return resource.Annotations.OfType<EndpointAnnotation>().Single().AllocatedEndpoint!.Port;
    }
}
