using Ariya.Benchmarks.Measuring;
using Ariya.Data.Passwords;

namespace Ariya.Benchmarks.Ground;

/// <summary>How much is done: rounds of slices, their length, and rows.</summary>
/// <param name="Name">Of the effort.</param>
/// <param name="Rounds">Of four slices.</param>
/// <param name="Length">Of a slice. Short, and many of them: a neighbour slows this machine for seconds.</param>
/// <param name="LongRounds">The same with slices of the other length.</param>
/// <param name="LongLength">Where a unit takes tens of milliseconds or a slice begins from rest: hashes, and mails.</param>
/// <param name="Accounts">In the databases.</param>
/// <param name="ExpiredRows">To clean up.</param>
/// <param name="ExpiredRounds">Of cleaning them up.</param>
/// <param name="Starts">Rounds of starting.</param>
internal sealed record Effort(string Name, int Rounds, TimeSpan Length, int LongRounds, TimeSpan LongLength, int Accounts, int ExpiredRows, int ExpiredRounds, int Starts)
{
    /// <summary>Under 25 minutes on two cores.</summary>
    public static Effort Quick { get; } = new("quick", 10, TimeSpan.FromSeconds(0.4), 7, TimeSpan.FromSeconds(1), 100_000, 200_000, 6, 6);

    /// <summary>About two hours.</summary>
    public static Effort Full { get; } = new("full", 20, TimeSpan.FromSeconds(0.5), 14, TimeSpan.FromSeconds(1), 100_000, 1_000_000, 6, 10);

    /// <summary>Whether the machinery works; its figures say nothing.</summary>
    public static Effort Trial { get; } = new("trial", 2, TimeSpan.FromSeconds(0.3), 2, TimeSpan.FromSeconds(0.5), 2_000, 20_000, 1, 1);
}

/// <summary>What every scenario needs.</summary>
internal sealed class Bench(Servers servers, Programs programs, Effort effort, Report report)
{
    public const string Password = "seven quiet harbours";

    public Servers Servers => servers;

    public Programs Programs => programs;

    public Effort Effort => effort;

    public Report Report => report;

    /// <summary>A database with as many accounts as the effort says, with hashes at the product's own cost.</summary>
    public async Task<Database> AccountsAsync(string name)
    {
        var database = new Database(await servers.CreateDatabaseAsync(name));
        await database.LoadAccountsAsync(effort.Accounts, PasswordHash.Create(PasswordHash.Argon2id, Password));
        return database;
    }

    /// <summary>With this effort's rounds and one of its lengths.</summary>
    public Comparison Compare(string name, Side first, Side second, double? target, string unit = "requests", Func<Task>? beforeAsync = null, bool isLong = false) => new(name, first, second)
    {
        Target = target,
        Unit = unit,
        Rounds = isLong ? effort.LongRounds : effort.Rounds,
        Length = isLong ? effort.LongLength : effort.Length,
        BeforeAsync = beforeAsync ?? (() => Task.CompletedTask),
    };

    /// <summary>A limit against itself.</summary>
    public Comparison Control(string name, Side side, string unit = "requests", Func<Task>? beforeAsync = null, bool isLong = false) =>
        Compare($"A/A: {name}", side, side with { Name = "the same" }, target: null, unit, beforeAsync, isLong);

    /// <summary>A side whose slices are checked in the database: as many rows more as were done.</summary>
    /// <param name="database">Where.</param>
    /// <param name="count">How many rows, or what else grows by one each time.</param>
    /// <param name="run">Answers units a second and how many were done.</param>
    public static Slice Checked(Database database, string count, Func<TimeSpan, Task<(double Rate, long Done)>> run) => async length =>
    {
        var before = await database.ScalarAsync<long>(count);
        var (rate, done) = await run(length);
        var after = await database.ScalarAsync<long>(count);
        return after - before == done ? rate : throw new WrongWorkException($"{done} were answered and {after - before} are there: {count}");
    };
}
