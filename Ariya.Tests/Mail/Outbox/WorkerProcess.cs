using System.Globalization;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Mail.Outbox;

/// <summary>The worker's own program, to be stopped, paused and killed.</summary>
internal sealed class WorkerProcess : ProgramProcess
{
    private const int Stop = 19;
    private const int Continue = 18;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private WorkerProcess(string[] arguments, (string Name, string Value)[] settings, string connection)
        : base("Ariya.Worker", arguments,
        [
            ("ConnectionStrings__ariyadb", connection), ("JWT_SECRET", "a secret of the tests, 32 characters and more"),
            ("APP_URL", "https://accounts.example.com"), ("DOTNET_ENVIRONMENT", "Production"), .. settings,
        ])
    {
    }

    public static WorkerProcess Start(string connection, int relayPort, params (string Name, string Value)[] settings) =>
        new([], [("SMTP_HOST", "127.0.0.1"), ("SMTP_PORT", relayPort.ToString(CultureInfo.InvariantCulture)), .. settings], connection);

    /// <summary>A one-shot command, to its end.</summary>
    public static async Task<WorkerProcess> CommandAsync(
        string connection, string[] arguments, string? input = null, params (string Name, string Value)[] settings)
    {
        var worker = new WorkerProcess(arguments, settings, connection);
        await worker.AnswerAsync(input);
        return worker;
    }

    /// <summary>A one-shot command that waits for <see cref="AnswerAsync"/>.</summary>
    public static WorkerProcess StartCommand(string connection, params string[] arguments) => new(arguments, [], connection);

    /// <summary>Answers what a command asks, or nothing, and waits for its end.</summary>
    public async Task AnswerAsync(string? answer)
    {
        if (answer is not null)
        {
            await Process.StandardInput.WriteLineAsync(answer);
        }

        Process.StandardInput.Close();
        await EndAsync();
    }

    public void Pause() => Signal(Stop);

    public void GoOn() => Signal(Continue);

    public Task EndAsync() => EndAsync(s_patience);
}
