using Ariya.Hosting.Local.Orchestration;

namespace Aspire.Hosting.ApplicationModel;

public sealed class ExecuteCommandResult
{
    public required bool Success { get; init; }
    public string? Message { get; init; }
}

/// <summary>start, stop and restart of one resource.</summary>
public class ResourceCommandService
{
    private readonly Orchestrator _orchestrator;

    internal ResourceCommandService(Orchestrator orchestrator) => _orchestrator = orchestrator;

    public async Task<ExecuteCommandResult> ExecuteCommandAsync(
        string resourceId, string commandName, CancellationToken cancellationToken = default)
    {
        var run = _orchestrator.Find(resourceId);
        if (run is null)
        {
            return Failure($"There is no process behind '{resourceId}'.");
        }

        switch (commandName)
        {
            case "start" when !await run.StartAsync(cancellationToken):
                return Failure($"'{resourceId}' is started already.");
            case "start":
                break;
            case "stop":
                await run.StopAsync(cancellationToken);
                break;
            case "restart":
                await run.RestartAsync(cancellationToken);
                break;
            default:
                return Failure($"'{resourceId}' has no command '{commandName}'.");
        }

        return new ExecuteCommandResult { Success = true };
    }

    private static ExecuteCommandResult Failure(string message) => new() { Success = false, Message = message };
}
