namespace Ariya.Chaos;

/// <summary>One request as the history tells it.</summary>
internal sealed record Attempt(Entry Invoke, Entry? End)
{
    public bool IsOk => End?.Phase == Entry.Ok;

    /// <summary>
    /// It may have happened: no answer, an answer that never should be, or a 503, which may come after a commit whose answer was lost.
    /// </summary>
    public bool IsMaybe => End is null or { Phase: Entry.Unknown or Entry.Violation } or { Status: 503 };

    /// <summary>What is the same wish in another try.</summary>
    public string Wish => Invoke.Key ?? $"{Invoke.Id}";
}

/// <summary>A fault from its beginning to its repair.</summary>
internal sealed record Trouble(string Kind, string Target, double From, double Until);

/// <summary>A history, read again.</summary>
internal sealed class Story
{
    public Story(IReadOnlyList<Entry> entries)
    {
        Entries = entries;
        var ends = entries.Where(entry => entry.Phase is Entry.Ok or Entry.Fail or Entry.Unknown or Entry.Violation).ToDictionary(entry => entry.Id);
        Attempts = [.. entries.Where(entry => entry.Phase == Entry.Invoke).Select(entry => new Attempt(entry, ends.GetValueOrDefault(entry.Id)))];
        var repairs = entries.Where(entry => entry.Phase == Entry.Repair).ToDictionary(entry => entry.Id);
        Troubles = [.. entries.Where(entry => entry.Phase == Entry.Fault).Select(fault =>
            new Trouble(fault.Kind, fault.Instance!, fault.At, repairs.GetValueOrDefault(fault.Id)?.At ?? double.MaxValue))];
    }

    public IReadOnlyList<Entry> Entries { get; }
    public IReadOnlyList<Attempt> Attempts { get; }
    public IReadOnlyList<Trouble> Troubles { get; }

    /// <summary>How many wishes of a kind were surely granted, and how many may have been.</summary>
    public static (int Sure, int Possible) Granted(IEnumerable<Attempt> attempts)
    {
        var wishes = attempts.GroupBy(attempt => attempt.Wish).ToList();
        return (
            wishes.Count(wish => wish.Any(attempt => attempt.IsOk)),
            wishes.Count(wish => wish.Any(attempt => attempt.IsOk || attempt.IsMaybe)));
    }

    /// <summary>The values that may stand now: that of the last success, and of every try after it that may have happened.</summary>
    public static IReadOnlyList<string> Standing(string first, IEnumerable<Attempt> attempts)
    {
        List<string> values = [first];
        foreach (var attempt in attempts)
        {
            if (attempt.IsOk)
            {
                values.Clear();
            }

            if (attempt.IsOk || attempt.IsMaybe)
            {
                values.Add(attempt.Invoke.Value!);
            }
        }

        return [.. values.Distinct()];
    }

    /// <summary>What became of the sessions that one person was given.</summary>
    public static IReadOnlyCollection<HeldSession> Sessions(IEnumerable<Attempt> attempts)
    {
        var held = new Dictionary<string, HeldSession>();
        foreach (var attempt in attempts)
        {
            var (kind, value) = (attempt.Invoke.Kind, attempt.Invoke.Value);
            if (kind == "login" && attempt.IsOk)
            {
                var token = attempt.End!.Value!;
                held.Add(Tokens.SessionOf(token), new HeldSession(token));
            }
            else if (kind == "refresh" && held.GetValueOrDefault(Tokens.SessionOf(value!)) is { } session)
            {
                session.Token = attempt.IsOk ? attempt.End!.Value! : session.Token;
                session.Key = attempt.IsMaybe ? attempt.Invoke.Key : attempt.IsOk ? null : session.Key;
            }
            else if (kind is "logout" or "end-others" or "reset" && (attempt.IsOk || attempt.IsMaybe))
            {
                foreach (var (id, ended) in held.Where(pair => kind == "reset" || pair.Key == value == (kind == "logout")))
                {
                    ended.Fate = attempt.IsOk || ended.Fate == Fate.Ended ? Fate.Ended : Fate.Either;
                }
            }
        }

        return held.Values;
    }
}

internal enum Fate
{
    Lives,
    Ended,
    Either,
}

/// <summary>A session as its client knows it.</summary>
internal sealed class HeldSession(string token)
{
    /// <summary>The newest token that was received.</summary>
    public string Token { get; set; } = token;

    /// <summary>Of an exchange of that token that has no answer yet.</summary>
    public string? Key { get; set; }

    public Fate Fate { get; set; }
}
