using System.Net.Sockets;
using Ariya.Data;
using Ariya.ServiceDefaults.Settings;
using Npgsql;

namespace Ariya.Worker.Commands;

/// <summary>Runs one command to its end: its words go to standard output, its failure in one line to standard error.</summary>
internal static class OneShot
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int Misused = 2;

    public static async Task<int> RunAsync(
        HostApplicationBuilder builder, string command, Func<IServiceProvider, CancellationToken, Task<int>> act)
    {
        builder.Logging.AddFilter("Microsoft.Hosting.Lifetime", LogLevel.Warning);
        try
        {
            builder.ThrowIfSettingsAreWrong();
            using var host = builder.Build();
            await host.StartAsync();
            try
            {
                await using var scope = host.Services.CreateAsyncScope();
                return await act(scope.ServiceProvider, scope.ServiceProvider.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping);
            }
            finally
            {
                await host.StopAsync();
            }
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync($"{command}: stopped; what was done stays done.");
            return Failed;
        }
        catch (Exception exception) when (exception is NpgsqlException or InvalidOperationException or PlatformNotSupportedException
            or TimeoutException or SocketException)
        {
            await Console.Error.WriteLineAsync($"{command} failed: {Reason(exception)}");
            return Failed;
        }
    }

    public static AriyaDatabase Database(this IServiceProvider services) => services.GetRequiredService<AriyaDatabase>();

    /// <summary>For what migrations need; it is there for commands alone.</summary>
    public static AriyaDbContext Schema(this IServiceProvider services) => services.GetRequiredService<AriyaDbContext>();

    /// <summary>The words that help: of the innermost cause.</summary>
    public static string Reason(Exception exception) => (exception.InnerException ?? exception).Message;

    /// <summary>Asks on the console; without one, or with another answer, it is no.</summary>
    public static bool IsConfirmed(string question, string expected)
    {
        Console.Write($"{question} Type {expected} to go on: ");
        var answer = Console.ReadLine();
        if (answer?.Trim() == expected)
        {
            return true;
        }

        Console.WriteLine(answer is null ? "Nobody answered: nothing was done. --yes answers for you." : "Nothing was done.");
        return false;
    }
}
