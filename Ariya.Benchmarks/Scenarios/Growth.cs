using System.Globalization;
using System.Text;
using Ariya.Benchmarks.Ground;
using Ariya.Benchmarks.Load;
using Ariya.Benchmarks.Measuring;
using Ariya.Chaos;
using Ariya.Data.Outbox;
using Ariya.Data.Passwords;

namespace Ariya.Benchmarks.Scenarios;

/// <summary>The same work with more accounts, against that with a thousand, in turn: both databases are on one server. Hashes are the cheapest, or they would hide it.</summary>
internal static class Growth
{
    private const int Few = 1000;
    private const int Connections = 16;

    /// <param name="bench">All that is needed.</param>
    /// <param name="sizes">How many accounts, and the least ratio.</param>
    public static async Task RunAsync(Bench bench, params (int Accounts, double Target)[] sizes)
    {
        var points = new Dictionary<string, List<PlotPoint>>();
        foreach (var (accounts, target) in sizes)
        {
            Console.WriteLine($"Loading {accounts:N0} accounts …");
            // Both anew: what a size did to its thousand, more sessions for one, is not to be the next one's measure.
            await using var few = await Population.CreateAsync(bench, Few);
            await using var many = await Population.CreateAsync(bench, accounts);
            foreach (var (name, unit) in Population.Works)
            {
                var found = await bench.Compare(string.Create(CultureInfo.InvariantCulture, $"{name}, {accounts:N0} accounts"), many.Side(name), few.Side(name), target, unit, bench.Servers.CheckpointAsync).RunAsync();
                bench.Report.Add(found);
                if (!points.TryGetValue(name, out var line))
                {
                    points[name] = line = [new PlotPoint(Few, new Estimate(1, 1, 1), 1)];
                }

                line.Add(new PlotPoint(accounts, found.Ratio, target));
            }
        }

        foreach (var (name, line) in points)
        {
            bench.Report.Plot(string.Create(CultureInfo.InvariantCulture, $"{name} with up to {line[^1].Accounts} accounts"), line);
        }
    }

    /// <summary>A database of so many accounts, its API, and what is asked of it.</summary>
    private sealed class Population : IAsyncDisposable
    {
        private readonly Database _database;
        private readonly RunningProgram _api;
        private readonly ClosedLoop _loop;
        private readonly int _accounts;
        private readonly Sessions _sessions;
        private readonly byte[][] _lists;
        private readonly Seeded[] _draws = [.. Enumerable.Range(0, Connections).Select(connection => Seeded.For(1, connection))];

        private Population(Database database, RunningProgram api, ClosedLoop loop, Sessions sessions, string[] tokens)
        {
            (_database, _api, _loop, _sessions, _accounts) = (database, api, loop, sessions, sessions.Count);
            _lists = [.. tokens.Select(token => HttpConnection.Request("GET", "/api/v1/account/sessions", bearer: token))];
        }

        /// <summary>With their units.</summary>
        public static IReadOnlyDictionary<string, string> Works { get; } = new Dictionary<string, string>
        {
            ["List of sessions"] = "requests",
            ["Refresh"] = "exchanges",
            ["Registration"] = "registrations",
            ["Sign-in"] = "sign-ins",
            ["Forgotten password"] = "requests",
        };

        public static async Task<Population> CreateAsync(Bench bench, int accounts)
        {
            var database = new Database(await bench.Servers.CreateDatabaseAsync(string.Create(CultureInfo.InvariantCulture, $"growth_{accounts}")));
            await database.LoadAccountsAsync(accounts, CheapHash());
            var api = await bench.Programs.StartApiAsync(bench.Programs.ApiWithCheapHashes, database, bench.Servers.Redis, ("Sessions__AccessTokenLifetime", "01:00:00"));
            var sessions = new Sessions(accounts);
            // People from everywhere in the table.
            var tokens = await sessions.AccessTokensAsync(api.Port, Enumerable.Range(0, Few).Select(n => 1 + (int)((long)n * accounts / Few)));
            return new Population(database, api, await ClosedLoop.OpenAsync(api.Port, Connections), sessions, tokens);
        }

        public Side Side(string work) => work switch
        {
            "List of sessions" => new Side(Name(), async length => (await AskAsync(length, 200, connection => _lists[_draws[connection].Next(_lists.Length)])).Rate),
            "Refresh" => Refresh.Exchange(_loop, _database, _sessions) with { Name = Name() },
            "Registration" => new Side(Name(), Bench.Checked(_database, "select count(*) from registrations", length => Registration.PostAsync(_loop, length))),
            "Sign-in" => new Side(Name(), Bench.Checked(_database, "select count(*) from sessions", length => AskAsync(length, 200, connection => HttpConnection.Request("POST", "/api/v1/auth/login",
                string.Create(CultureInfo.InvariantCulture, $$"""{"email":"{{Somebody(connection)}}@example.com","password":"{{Bench.Password}}"}"""))))),
            "Forgotten password" => new Side(Name(), Bench.Checked(_database, $"select count(*) from outbox_messages where kind = '{MailKinds.PasswordReset}'", length => AskAsync(length, 202, connection => HttpConnection.Request("POST", "/api/v1/auth/forgot-password",
                string.Create(CultureInfo.InvariantCulture, $$"""{"email":"{{Somebody(connection)}}@example.com"}"""))))),
            _ => throw new ArgumentOutOfRangeException(nameof(work), work, "No such work."),
        };

        public async ValueTask DisposeAsync()
        {
            _loop.Dispose();
            await _api.DisposeAsync();
            await _database.DisposeAsync();
        }

        private string Name() => string.Create(CultureInfo.InvariantCulture, $"{_accounts:N0} accounts");

        private int Somebody(int connection) => 1 + _draws[connection].Next(_accounts);

        private Task<(double Rate, long Done)> AskAsync(TimeSpan length, int expected, Func<int, byte[]> request) =>
            _loop.RunAsync(length, connection => request(connection), (_, reply) => ClosedLoop.Expect(expected, reply));

        private static string CheapHash()
        {
            var salt = new byte[16];
            var hash = Argon2.Hash(Encoding.UTF8.GetBytes(Bench.Password), salt, memoryKiB: 8, iterations: 1, lanes: 1);
            return $"$argon2id$v=19$m=8,t=1,p=1${Convert.ToBase64String(salt).TrimEnd('=')}${Convert.ToBase64String(hash).TrimEnd('=')}";
        }
    }
}
