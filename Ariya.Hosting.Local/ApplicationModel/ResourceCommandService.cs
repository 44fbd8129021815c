using Ariya.Hosting.Local.Orchestration;

namespace Aspire.Hosting.ApplicationModel;

public sealed class ExecuteCommandResult
{
    public required bool Success { get; init; }

    public string? Message { get; init; }
}

public static class CommandResults
{
    public static ExecuteCommandResult Success() => new() { Success = true };

    public static ExecuteCommandResult Failure(string? message = null) => new() { Success = false, Message = message };
}

/// <summary>start, stop and restart of one resource.</summary>
public class ResourceCommandService
{
    private readonly Func<Orchestrator> _orchestrator;

    internal ResourceCommandService(Func<Orchestrator> orchestrator) => _orchestrator = orchestrator;

    public Task<ExecuteCommandResult> ExecuteCommandAsync(
        IResource resource, string commandName, CancellationToken cancellationToken = default) =>
        ExecuteCommandAsync(resource.Name, commandName, cancellationToken);

    public async Task<ExecuteCommandResult> ExecuteCommandAsync(
        string resourceId, string commandName, CancellationToken cancellationToken = default)
    {
        if (_orchestrator().Find(resourceId) is not { } run)
        {
            return CommandResults.Failure($"There is no process behind '{resourceId}'.");
        }

        switch (commandName)
        {
            case "start":
                return await run.StartAsync(cancellationToken)
                    ? CommandResults.Success()
                    : CommandResults.Failure($"'{resourceId}' is started already.");
            case "stop":
                await run.StopAsync(cancellationToken);
                return CommandResults.Success();
            case "restart":
                await run.RestartAsync(cancellationToken);
                return CommandResults.Success();
            default:
                return CommandResults.Failure($"'{resourceId}' has no command '{commandName}'.");
        }
    }
}
