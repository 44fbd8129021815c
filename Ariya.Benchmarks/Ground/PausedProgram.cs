using System.Diagnostics;
using Ariya.Benchmarks.Measuring;

namespace Ariya.Benchmarks.Ground;

/// <summary>
/// A load that another program makes: it runs all the time and stands still between its slices. So it is as warm as what it is compared with, and a slice may be
/// as short: started anew each time, its connections would plan their statements and fill their caches within what is measured.
/// </summary>
internal sealed class PausedProgram : IAsyncDisposable
{
    private static readonly TimeSpan s_begin = TimeSpan.FromSeconds(30);

    private readonly RunningProgram _program;
    private readonly Func<Task<long>> _countAsync;

    private PausedProgram(RunningProgram program, Func<Task<long>> countAsync) => (_program, _countAsync) = (program, countAsync);

    /// <summary>Stands still when it has begun.</summary>
    /// <param name="program">Asks without end.</param>
    /// <param name="countAsync">How much has been done, by what is there.</param>
    public static async Task<PausedProgram> BeganAsync(RunningProgram program, Func<Task<long>> countAsync)
    {
        try
        {
            var (before, started) = (await countAsync(), Stopwatch.GetTimestamp());
            while (await countAsync() == before)
            {
                if (program.HasEnded || Stopwatch.GetElapsedTime(started) > s_begin)
                {
                    throw new WrongWorkException($"A load did not begin:\n{program.Said}");
                }
            }

            program.Pause();
            return new PausedProgram(program, countAsync);
        }
        catch
        {
            // It would go on under everything that comes.
            await program.DisposeAsync();
            throw;
        }
    }

    public Side Side(string name) => new(name, RunAsync);

    public ValueTask DisposeAsync() => _program.DisposeAsync();

    private async Task<double> RunAsync(TimeSpan length)
    {
        var before = await StillAsync();
        Check();
        var started = Stopwatch.GetTimestamp();
        _program.Continue();
        await Task.Delay(length);
        Check();
        _program.Pause();
        var took = Stopwatch.GetElapsedTime(started);
        var done = await StillAsync() - before;
        return done > 0 ? done / took.TotalSeconds : throw new WrongWorkException($"Nothing was done:\n{_program.Said}");

        void Check()
        {
            if (_program.HasEnded || _program.Said.Contains("error", StringComparison.OrdinalIgnoreCase))
            {
                throw new WrongWorkException($"A load failed:\n{_program.Said}");
            }
        }
    }

    /// <summary>What it had asked for when it stopped is answered, and counts.</summary>
    private async Task<long> StillAsync()
    {
        for (var last = -1L; ;)
        {
            var now = await _countAsync();
            if (now == last)
            {
                return now;
            }

            last = now;
        }
    }
}
