using System.Net;
using System.Net.Sockets;
using Ariya.Hosting.Local.Processes;

namespace Ariya.Tests.HostingLocal.Processes;

public sealed class PortsTests
{
    [Fact]
    public void PortsAreFreeDifferentAndOutsideTheRangeOfOutgoingConnections()
    {
        var ports = Enumerable.Range(0, 50).Select(_ => Ports.Pick()).ToList();

        Assert.Distinct(ports);
        Assert.All(ports, port => Assert.InRange(port, 20000, 29999));
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("0.0.0.0")]
    public void APortThatSomebodyListensOnIsNotFree(string address)
    {
        var port = Ports.Pick();
        Assert.True(Ports.IsFree(port));

        using var listener = new TcpListener(IPAddress.Parse(address), port);
        listener.Start();

        Assert.False(Ports.IsFree(port));
    }
}
