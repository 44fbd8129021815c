using Ariya.Hosting.Local.Servers;

namespace Ariya.Tests.HostingLocal.Processes;

public sealed class ServerRunnersTests
{
    [Theory]
    [InlineData("postgres", nameof(PostgresRunner))]
    [InlineData("postgres:18.3", nameof(PostgresRunner))]
    [InlineData("docker.io/library/postgres:18.3", nameof(PostgresRunner))]
    [InlineData("library/redis", nameof(RedisRunner))]
    [InlineData("localhost:5000/redis:8.6@sha256:0123", nameof(RedisRunner))]
    [InlineData("maildev/maildev:2.2.1", nameof(MailDevRunner))]
    [InlineData("docker.io/maildev/maildev", nameof(MailDevRunner))]
    public void AnImageIsRecognisedWithoutRegistryAndTag(string image, string runner)
    {
        Assert.Equal(runner, ServerRunner.Find(image)?.GetType().Name);
    }

    [Theory]
    [InlineData("postgrest/postgrest")]
    [InlineData("somebody/postgres")]
    [InlineData("dpage/pgadmin4")]
    [InlineData("maildev")]
    public void AnotherImageHasNoRunner(string image)
    {
        Assert.Null(ServerRunner.Find(image));
    }

    [Theory]
    [InlineData("LOG:  could not bind IPv4 address \"127.0.0.1\": Address already in use")]
    [InlineData("Unable to initialize server due to exception: Could not bind 127.0.0.1:6379 (AddressAlreadyInUse).")]
    [InlineData("Warning: Could not create server TCP listening socket 127.0.0.1:6379: bind: Address already in use")]
    [InlineData("Error: listen EADDRINUSE: address already in use 127.0.0.1:1025")]
    public void ATakenPortIsReadFromTheLastLines(string line)
    {
        Assert.True(ServerRunner.IsAddressInUse(["starting", line, "stopped"]));
        Assert.False(ServerRunner.IsAddressInUse(["starting", "ready"]));
    }
}
