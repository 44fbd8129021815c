using System.Globalization;
using Ariya.Worker.Cleanup;
using Microsoft.Extensions.Options;

namespace Ariya.Worker.Commands;

/// <summary><c>cleanup</c> and <c>cleanup-tokens</c>: the scheduled clean-up, or its tokens alone, now.</summary>
internal static class CleanUp
{
    public static Task<int> RunAsync(HostApplicationBuilder builder, bool isTokensOnly)
    {
        builder.AddCleanup();
        return OneShot.RunAsync(builder, isTokensOnly ? "cleanup-tokens" : "cleanup", async (services, cancellationToken) =>
        {
            var kept = services.GetRequiredService<IOptions<RetentionOptions>>().Value;
            var removed = await services.GetRequiredService<CleanupRun>().RunAsync(
                isTokensOnly ? [CleanupSteps.Tokens(kept)] : CleanupSteps.All(kept), Tell, cancellationToken);
            Console.WriteLine(isTokensOnly
                ? string.Create(CultureInfo.InvariantCulture, $"Cleaned up {removed} expired tokens; kept for {kept.Tokens:d\\.hh\\:mm} after their end.")
                : string.Create(CultureInfo.InvariantCulture, $"Cleaned up {removed} rows."));
            return OneShot.Done;
        });

        // A long step says how far it is.
        Task Tell(CleanupProgress progress)
        {
            if (!isTokensOnly || !progress.IsDone)
            {
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{progress.Removed,10} {progress.Step}{(progress.IsDone ? "" : " …")}"));
            }

            return Task.CompletedTask;
        }
    }
}
