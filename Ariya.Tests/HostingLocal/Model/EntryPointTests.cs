using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;

namespace Ariya.Tests.HostingLocal.Model;

public class EntryPointTests
{
    [Fact]
    public async Task TestChangesTheModelOfTheAppHostBeforeItIsBuilt()
    {
        using var deadline = ShellModel.Deadline();
        await using var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.Ariya_AppHost>(
            ["UseVolumes=false"], deadline.Token);
        Assert.Equal("false", builder.Configuration["UseVolumes"]);
        Assert.Equal("Development", builder.Environment.EnvironmentName);
        KeepStill(builder);
        builder.CreateResourceBuilder<ProjectResource>("api").WithEnvironment("ADDED", "by the test");

        await using var app = await builder.BuildAsync(deadline.Token);
        await app.StartAsync(deadline.Token);

        Assert.NotEqual(8080, app.GetEndpoint("api").Port);
        Assert.NotEqual(1080, app.GetEndpoint("maildev", "http").Port);
        Assert.Contains("Database=ariyadb", await app.GetConnectionStringAsync("ariyadb", deadline.Token));
        Assert.Equal(KnownResourceStates.NotStarted, app.StateOf("api").State!.Text);
        await app.StopAsync(deadline.Token);
    }

    [Fact]
    public async Task TwoAppHostsRunInOneProcess()
    {
        using var deadline = ShellModel.Deadline();
        var apps = await Task.WhenAll(Enumerable.Range(0, 2).Select(async _ =>
        {
            var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.Ariya_AppHost>(
                ["UseVolumes=false"], deadline.Token);
            KeepStill(builder);
            return await builder.StartedAsync(deadline.Token);
        }));
        await using var one = apps[0];
        await using var other = apps[1];

        Assert.NotEqual(one.GetEndpoint("api").Port, other.GetEndpoint("api").Port);
    }

    [Fact]
    public async Task FailureOfTheStartReachesTheTest()
    {
        using var deadline = ShellModel.Deadline();
        await using var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.Ariya_AppHost>(
            ["UseVolumes=false"], deadline.Token);
        KeepStill(builder);
        builder.AddContainer("queue", "rabbitmq", "4");

        await using var app = await builder.BuildAsync(deadline.Token);
        var failure = await Assert.ThrowsAsync<DistributedApplicationException>(() => app.StartAsync(deadline.Token));

        Assert.Contains("rabbitmq", failure.Message);
    }

    [Fact]
    public async Task FailureOfTheEntryPointReachesTheTest()
    {
        using var deadline = ShellModel.Deadline();

        // A class library has no entry point.
        await Assert.ThrowsAsync<InvalidOperationException>(
            () => DistributedApplicationTestingBuilder.CreateAsync<DistributedApplication>(deadline.Token));
    }

    [Fact]
    public async Task BuilderThatIsNeverBuiltLetsTheEntryPointEnd()
    {
        using var deadline = ShellModel.Deadline();
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.Ariya_AppHost>(["UseVolumes=false"], deadline.Token);
        await builder.DisposeAsync();

        await Assert.ThrowsAsync<ObjectDisposedException>(() => builder.BuildAsync(deadline.Token));
    }

    private static void KeepStill(IDistributedApplicationTestingBuilder builder)
    {
        foreach (var resource in builder.Resources.Where(r => r is not ParameterResource))
        {
            builder.CreateResourceBuilder(resource).WithExplicitStart();
        }
    }
}
