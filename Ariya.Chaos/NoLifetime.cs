using Microsoft.Extensions.Hosting;

namespace Ariya.Chaos;

/// <summary>Ctrl+C is this program's business: what it starts is ended by it and not beside it.</summary>
internal sealed class NoLifetime : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
