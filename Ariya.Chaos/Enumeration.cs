using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using Ariya.Data.Passwords;
using Npgsql;

namespace Ariya.Chaos;

/// <summary>How well a stranger could tell, from the time of an answer, whether an address has an account.</summary>
/// <param name="Operation">What was asked.</param>
/// <param name="Condition">How the servers were.</param>
/// <param name="Count">Answers for known and for unknown addresses, each.</param>
/// <param name="Auc">Area under the ROC curve: 0.5 is a coin, 1 is certainty.</param>
/// <param name="MedianKnown">In milliseconds.</param>
/// <param name="MedianUnknown">In milliseconds.</param>
internal sealed record Separation(string Operation, string Condition, int Count, double Auc, double MedianKnown, double MedianUnknown)
{
    private const double GreatestDifferenceMs = 3;
    private const double GreatestShare = 0.05;

    public bool IsGood => Auc is >= 0.45 and <= 0.55
        && (Math.Abs(MedianKnown - MedianUnknown) <= GreatestDifferenceMs
            || Math.Abs(MedianKnown - MedianUnknown) <= GreatestShare * Math.Max(MedianKnown, MedianUnknown));

    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Operation,-8} {Condition,-16} n = {Count}: AUC {Auc:0.000}, medians {MedianKnown:0.00} and {MedianUnknown:0.00} ms{(IsGood ? "" : "  NOT WITHIN 0.45 to 0.55 and 3 ms or 5 %")}");
}

/// <summary>Asks for known and unknown addresses in turn, one at a time, in an order that nothing else follows, and compares the times.</summary>
[Judges("P07", "P14", "P22")]
internal static class Enumeration
{
    private const int WarmUp = 50;

    // In each direction, so that a sign-in of two round trips takes 12 ms more.
    private static readonly TimeSpan s_slow = TimeSpan.FromMilliseconds(3);
    private const string Wrong = "not the sentence at all";

    /// <summary>With all servers well, with a relay that says nothing, and with a database on a slow way.</summary>
    /// <returns>Whether no answer tells.</returns>
    public static async Task<bool> RunAsync(Ensemble ensemble, Sink sink, long seed, int count, CancellationToken stop)
    {
        await using var source = NpgsqlDataSource.Create(ensemble.Database);
        using var api = new HttpClient { BaseAddress = ensemble.AddressOf("api2") };
        var dice = Seeded.For(seed, 0);
        var isGood = true;
        foreach (var (condition, begin, end) in new (string, Func<Task>, Action)[]
        {
            ("all well", () => Task.CompletedTask, () => { }),
            ("relay silent", () => sink.TroubleAsync(RelayTrouble.Silent), sink.Mend),
            ("database slow", () => { ensemble.Proxy.Latency = s_slow; return Task.CompletedTask; }, () => ensemble.Proxy.Latency = TimeSpan.Zero),
        })
        {
            await begin();
            isGood &= await MeasureAsync(api, source, condition, count, () => dice.Next(2) == 0, stop);
            end();
        }

        return isGood;
    }

    private static async Task<bool> MeasureAsync(
        HttpClient api, NpgsqlDataSource source, string condition, int count, Func<bool> choice, CancellationToken cancellationToken)
    {
        var isGood = true;
        foreach (var (operation, path, body) in new (string, string, Func<string, object>)[]
        {
            ("login", "login", email => new { email, password = Wrong }),
            ("register", "register", email => new { email, password = "a sentence of a stranger", firstName = "Ada", lastName = "Lovelace" }),
            ("forgot", "forgot-password", email => new { email }),
            ("resend", "resend-verification", email => new { email }),
        })
        {
            // Each is asked for once: what was asked before must not be what differs.
            var known = await AddAccountsAsync(source, count + WarmUp);
            var next = 0;
            List<double> ofKnown = [], ofUnknown = [];
            for (var n = 0; n < WarmUp + (2 * count); n++)
            {
                var isKnown = n < WarmUp ? n % 2 == 0
                    : ofKnown.Count < count && (ofUnknown.Count == count || choice());
                var email = isKnown ? known[next++] : $"{Guid.CreateVersion7():N}@example.com";
                var started = Stopwatch.GetTimestamp();
                using var answer = await api.PostAsJsonAsync($"/api/v1/auth/{path}", body(email), cancellationToken);
                var took = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
                if ((int)answer.StatusCode != (operation == "login" ? 401 : 202))
                {
                    Console.WriteLine($"{operation}, {condition}: {(int)answer.StatusCode}, so nothing was measured");
                    return false;
                }

                if (n >= WarmUp)
                {
                    (isKnown ? ofKnown : ofUnknown).Add(took);
                }
            }

            var separation = new Separation(operation, condition, count, Auc(ofKnown, ofUnknown), Median(ofKnown), Median(ofUnknown));
            Console.WriteLine(separation);
            isGood &= separation.IsGood;
        }

        return isGood;
    }

    private static async Task<List<string>> AddAccountsAsync(NpgsqlDataSource source, int count)
    {
        await using var command = source.CreateCommand(
            """
            with added as (
              insert into accounts (id, email, email_canonical, first_name, last_name, password_hash, updated_at)
              select id, id || '@example.com', id || '@example.com', 'Grace', 'Hopper', $2, now() - interval '1 day'
              from (select gen_random_uuid() as id from generate_series(1, $1)) ids
              returning email)
            select array_agg(email) from added
            """);
        command.Parameters.Add(new NpgsqlParameter { Value = count });
        command.Parameters.Add(new NpgsqlParameter
        {
            Value = PasswordHash.Create(PasswordHash.CanCompute(PasswordHash.Argon2id) ? PasswordHash.Argon2id : PasswordHash.Pbkdf2, "a sentence nobody else types"),
        });
        return [.. (string[])(await command.ExecuteScalarAsync())!];
    }

    // The share of pairs in which the known one took longer (Mann-Whitney); ties count half.
    private static double Auc(List<double> known, List<double> unknown)
    {
        var ranked = known.Select(time => (time, IsKnown: true)).Concat(unknown.Select(time => (time, IsKnown: false))).OrderBy(item => item.time).ToList();
        double rankSum = 0;
        for (var at = 0; at < ranked.Count;)
        {
            var end = at;
            while (end < ranked.Count && ranked[end].time == ranked[at].time)
            {
                end++;
            }

            var rank = (at + 1 + end) / 2.0;
            rankSum += rank * ranked[at..end].Count(item => item.IsKnown);
            at = end;
        }

        return (rankSum - (known.Count * (known.Count + 1) / 2.0)) / ((double)known.Count * unknown.Count);
    }

    private static double Median(List<double> times)
    {
        var sorted = times.Order().ToList();
        return sorted.Count % 2 == 1 ? sorted[sorted.Count / 2] : (sorted[(sorted.Count / 2) - 1] + sorted[sorted.Count / 2]) / 2;
    }
}
