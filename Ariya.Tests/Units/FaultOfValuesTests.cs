using System.Net.Sockets;
using Ariya.Worker.Outbox;
using Npgsql;

namespace Ariya.Tests.Units;

public sealed class FaultOfValuesTests
{
    [Theory]
    [InlineData("23514", "23514")]
    [InlineData("22P02", "22P02")]
    [InlineData("40P01", null)]
    [InlineData("57P01", null)]
    [InlineData("25006", null)]
    [InlineData("53300", null)]
    public void OnlyValuesAreHeldAgainstAMail(string sqlState, string? fault) =>
        Assert.Equal(fault, OutboxDispatcher.FaultOfValues(new PostgresException("message", "ERROR", "ERROR", sqlState)));

    [Fact]
    public void ADatabaseThatCannotBeReachedKillsNoMail()
    {
        Exception[] troubles =
        [
            new SocketException((int)SocketError.HostNotFound), new NpgsqlException("away"), new TimeoutException(), new IOException(),
            new InvalidOperationException("transient", new NpgsqlException("away")), new OperationCanceledException(),
        ];
        Assert.All(troubles, trouble => Assert.Null(OutboxDispatcher.FaultOfValues(trouble)));
    }
}
