using Ariya.Tests.Distributed;

namespace Ariya.Tests.SignIn;

/// <summary>The counter of wrong passwords of an address, to look at and to move in time.</summary>
internal sealed class SignInCounters
{
    /// <summary>From this wrong password on the next try has to wait.</summary>
    public const int FirstDelayed = 10;

    private readonly RunningAriya _ariya;
    private readonly byte[] _key;

    private SignInCounters(RunningAriya ariya, byte[] key)
    {
        _ariya = ariya;
        _key = key;
    }

    /// <summary>The counter of the address that was last refused to this person, known by the network that the audit names.</summary>
    public static async Task<SignInCounters> OfAsync(RunningAriya ariya, Person person)
    {
        var network = $"{person.Ip![..person.Ip!.LastIndexOf('.')]}.0/24";
        var key = await ariya.ScalarAsync<byte[]>(
            "select address_key from audit_events where kind = 'session.sign_in_failed' and network = $1 order by at desc limit 1",
            network);
        return new SignInCounters(ariya, key!);
    }

    public Task<int> FailuresAsync() => _ariya.ScalarAsync<int>("select failures from sign_in_failures where key = $1", _key);

    /// <summary>Counters of the address, those of networks too.</summary>
    public Task<long> CountAsync() => _ariya.ScalarAsync<long>("select count(*) from sign_in_failures where address_key = $1", _key);

    /// <summary>How long the last wrong password made the next try wait, in seconds.</summary>
    public Task<double> DelayAsync() => _ariya.ScalarAsync<double>(
        "select coalesce(extract(epoch from delayed_until - last_failed_at), 0)::float8 from sign_in_failures where key = $1", _key);

    /// <summary>Begins a delay and does not commit it until the lock is released.</summary>
    public Task<RowLock> BeginDelayAsync() => RowLock.TakeAsync(
        _ariya, "update sign_in_failures set failures = 10, delayed_until = now() + interval '5 minutes' where address_key = $1", _key);

    /// <summary>Sets the counters of the address: so many failures, and a delay that is over in so long.</summary>
    public Task<int> SetAsync(int failures, TimeSpan delayEndsIn) => _ariya.SqlAsync(
        "update sign_in_failures set failures = $1, delayed_until = clock_timestamp() + $2 where address_key = $3",
        failures, delayEndsIn, _key);
}
