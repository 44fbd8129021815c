using Npgsql;

namespace Ariya.Chaos;

/// <summary>
/// Judges when everything is repaired and every mail has come to an end, from three things: the history, the database and what the relay took.
/// What was acknowledged must be there, what is unknown may be, and nothing else.
/// </summary>
[Judges("P39", "P44", "P52")]
internal sealed class Checker(Story story, IReadOnlyList<Copy> copies, string database, Caller caller)
{
    private const string Network = "100.66.0.1";
    private static readonly string[] s_kinds = ["register", "verify", "login", "refresh", "patch", "forgot", "reset", "logout", "end-others", "ask"];

    private readonly Verdict _verdict = new();
    private readonly ILookup<string, Attempt> _bySubject = story.Attempts.ToLookup(attempt => attempt.Invoke.Subject!);
    private int _turn;

    public async Task<Verdict> JudgeAsync()
    {
        await using var source = NpgsqlDataSource.Create(database);
        var mails = await RowsAsync(source, "select id, mail_id, kind, recipient, state, reason from outbox_messages", row => new MailRow(
            row.GetGuid(0), row.GetGuid(1), row.GetString(2), Text(row, 3), row.GetString(4), Text(row, 5)));
        var accounts = await RowsAsync(source, "select email_canonical, first_name, version from accounts", row => new AccountRow(
            row.GetString(0), row.GetString(1), row.GetInt32(2)));
        var keys = (await RowsAsync(source, "select count(*) from idempotency_keys", row => row.GetInt64(0)))[0];
        var reasons = (await RowsAsync(source, "select id, revoked_reason from sessions where revoked_at is not null",
            row => (Session: row.GetGuid(0).ToString("N"), Reason: Text(row, 1)))).ToDictionary(row => row.Session, row => row.Reason);

        JudgeAnswers();
        JudgeAccounts(accounts);
        JudgeKeys(keys);
        JudgeRows(mails);
        new MailJudge(story, copies, mails, _verdict).Judge();
        new LimitJudge(story, _verdict).Judge();
        foreach (var (session, reason) in reasons.Where(pair => pair.Value is null or "reuse" or "rolled_back"))
        {
            _verdict.Violate($"session {session} ended as '{reason}', though its client kept one store and used keys");
        }

        var atOnce = new ParallelOptions { MaxDegreeOfParallelism = 3 };
        await Parallel.ForEachAsync(accounts, atOnce, async (account, _) => await JudgePersonAsync(account.Email, reasons));
        var phases = story.Attempts.CountBy(attempt => attempt.End?.Phase ?? Entry.Unknown).ToDictionary();
        _verdict.Figure(
            $"operations: {story.Attempts.Count} begun, {phases.GetValueOrDefault(Entry.Ok)} acknowledged, {phases.GetValueOrDefault(Entry.Fail)} refused, {phases.GetValueOrDefault(Entry.Unknown)} unknown");
        _verdict.Figure($"accounts: {accounts.Count}, sessions: {_bySubject.Sum(person => Story.Sessions(person).Count)}");
        // Where nothing was done nothing can be lost.
        foreach (var kind in s_kinds.Where(kind => !story.Attempts.Any(attempt => attempt.Invoke.Kind == kind && attempt.IsOk)))
        {
            _verdict.Violate($"no {kind} was acknowledged in the whole run");
        }

        return _verdict;
    }

    private void JudgeAnswers()
    {
        foreach (var entry in story.Entries.Where(entry => entry.Phase == Entry.Violation))
        {
            _verdict.Violate($"at {entry.At:0.0} s, {entry.Kind} of {entry.Subject} at {entry.Instance}: {entry.Status} {entry.Value}");
        }

        foreach (var attempt in story.Attempts.Where(attempt => attempt.End?.Status == 429 && attempt.Invoke.Kind != "ask"))
        {
            _verdict.Violate($"at {attempt.End!.At:0.0} s, {attempt.Invoke.Kind} of {attempt.Invoke.Subject} was refused by a limit out of its reach");
        }

        // What these people ask for is right, one request after the other; whether a refresh may be refused is judged with its session.
        foreach (var attempt in story.Attempts.Where(attempt => attempt.End is { Status: >= 400 and < 500 } end && end.Code != "idempotency_in_flight"
            && attempt.Invoke.Kind is "register" or "verify" or "patch" or "forgot" or "reset" or "logout" or "end-others"))
        {
            _verdict.Violate($"at {attempt.End!.At:0.0} s, {attempt.Invoke.Kind} of {attempt.Invoke.Subject} was refused: {attempt.End.Status} {attempt.End.Code}");
        }
    }

    private void JudgeAccounts(List<AccountRow> accounts)
    {
        foreach (var twin in accounts.GroupBy(account => account.Email.ToLowerInvariant()).Where(group => group.Count() > 1))
        {
            _verdict.Violate($"{twin.Count()} accounts of {twin.Key}");
        }

        var byEmail = accounts.ToLookup(account => account.Email);
        foreach (var person in _bySubject)
        {
            if (byEmail[person.Key].FirstOrDefault() is not { } account)
            {
                if (person.Any(attempt => attempt.Invoke.Kind == "verify" && attempt.IsOk))
                {
                    _verdict.Lose($"the account of {person.Key}");
                }

                continue;
            }

            if (!person.Any(attempt => attempt.Invoke.Kind == "verify" && (attempt.IsOk || attempt.IsMaybe)))
            {
                _verdict.Violate($"{person.Key} has an account that nobody proved");
            }

            var patches = person.Where(attempt => attempt.Invoke.Kind == "patch").ToList();
            var standing = Story.Standing("Grace", patches);
            if (!standing.Contains(account.FirstName))
            {
                _verdict.Lose($"the name of {person.Key}: {account.FirstName} instead of {string.Join(" or ", standing)}");
            }

            Within($"changes of {person.Key}", account.Version - 1, Story.Granted(patches));
        }
    }

    private void JudgeKeys(long rows)
    {
        var keyed = story.Attempts.Where(attempt => attempt.Invoke is { Key: not null, Kind: not ("refresh" or "patch-again") }).ToList();
        var (sure, _) = Story.Granted(keyed);
        var sent = keyed.DistinctBy(attempt => attempt.Wish).Count();
        if (rows < sure || rows > sent)
        {
            _verdict.Violate($"{rows} records of keys: {sure} keys were acknowledged, {sent} sent");
        }

        var repeated = keyed.CountBy(attempt => attempt.Wish).Count(wish => wish.Value > 1);
        _verdict.Figure($"keys: {sent} sent, {repeated} of them more than once; {rows} records");
    }

    /// <summary>Each acknowledged wish wrote its row, and with a key no wish wrote two.</summary>
    private void JudgeRows(List<MailRow> mails)
    {
        var rows = mails.CountBy(mail => (mail.Recipient, mail.Kind)).ToDictionary();
        foreach (var person in _bySubject)
        {
            Within($"reset mails of {person.Key}", rows.GetValueOrDefault((person.Key, "mail.password-reset.v1")),
                Story.Granted(person.Where(attempt => attempt.Invoke.Kind is "forgot" or "ask")));
            // The same registration again within ten minutes sends no second mail, with a key or without.
            var (sure, possible) = Story.Granted(person.Where(attempt => attempt.Invoke.Kind == "register"));
            Within($"registration mails of {person.Key}", rows.GetValueOrDefault((person.Key, "mail.registration.v1")),
                (Math.Min(sure, 1), Math.Min(possible, 1)));
        }
    }

    private void Within(string what, int found, (int Sure, int Possible) wishes)
    {
        if (found < wishes.Sure)
        {
            _verdict.Lose($"{what}: {found} of {wishes.Sure} acknowledged");
        }
        else if (found > wishes.Possible)
        {
            _verdict.Violate($"{what}: {found}, though only {wishes.Possible} were asked for");
        }
    }

    private async Task JudgePersonAsync(string email, Dictionary<string, string?> reasons)
    {
        var attempts = _bySubject[email].ToList();
        foreach (var session in Story.Sessions(attempts))
        {
            // An exchange without an answer is asked for again with its key.
            var key = session.Key ?? $"final#{session.Token}";
            var refreshed = await FinallyAsync("final-refresh", email, "auth/refresh", new { refreshToken = session.Token }, key);
            if (refreshed is null || session.Fate == Fate.Either)
            {
                continue;
            }

            var id = Tokens.SessionOf(session.Token);
            if (refreshed.IsOk && session.Fate == Fate.Ended)
            {
                _verdict.Lose($"the end of session {id} of {email}: it can be refreshed");
            }
            else if (!refreshed.IsOk && session.Fate == Fate.Lives)
            {
                _verdict.Lose($"session {id} of {email}, which nobody ended: {refreshed.Code}; the database says '{reasons.GetValueOrDefault(id)}'");
            }
        }

        if (attempts.FirstOrDefault(attempt => attempt.Invoke.Kind == "register") is not { } registered)
        {
            _verdict.Violate($"{email} has an account and never registered");
            return;
        }

        var passwords = Story.Standing(registered.Invoke.Value!, attempts.Where(attempt => attempt.Invoke.Kind == "reset"));
        foreach (var password in passwords)
        {
            if (await FinallyAsync("final-login", email, "auth/login", new { email, password }, null) is null or { IsOk: true })
            {
                return;
            }
        }

        _verdict.Lose($"the password of {email}: none of {passwords.Count} that may stand signs in");
    }

    /// <summary>The final answer; null, and a violation, when there is none although nothing is broken.</summary>
    private async Task<Reply?> FinallyAsync(string kind, string email, string path, object body, string? key)
    {
        for (var attempt = 0; attempt < 10; attempt++)
        {
            var wish = new Wish(kind, email, HttpMethod.Post, $"/api/v1/{path}", body) { Network = Network, Key = key };
            if (await caller.SendAsync(wish, Interlocked.Increment(ref _turn)) is { IsOpen: false } reply)
            {
                return reply;
            }

            await Task.Delay(500);
        }

        _verdict.Violate($"{kind} of {email} got no answer after everything was repaired");
        return null;
    }

    private static string? Text(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);

    private static async Task<List<T>> RowsAsync<T>(NpgsqlDataSource source, string sql, Func<NpgsqlDataReader, T> read)
    {
        await using var command = source.CreateCommand(sql);
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<T>();
        while (await reader.ReadAsync())
        {
            rows.Add(read(reader));
        }

        return rows;
    }
}
