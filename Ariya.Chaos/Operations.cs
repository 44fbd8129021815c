using System.Globalization;

namespace Ariya.Chaos;

/// <summary>Somebody who registers, signs in, changes things, and begins a new life under another address; one request at a time.</summary>
internal sealed class Person(int number, long seed, Caller caller, Sink sink, History history, CancellationToken stop)
{
    private const int MaxAttempts = 40;
    private static readonly TimeSpan s_mailPatience = TimeSpan.FromSeconds(90);

    private readonly int _number = number;
    private readonly Seeded _dice = Seeded.For(seed, number);
    private readonly string _network = string.Create(CultureInfo.InvariantCulture, $"100.64.{number}.1");
    private readonly List<Device> _devices = [];
    private string _email = "";
    private string _password = "";
    private int _wishes;
    private int _turn = number;
    private double? _askedAt;

    public async Task LiveAsync()
    {
        for (var life = 0; !stop.IsCancellationRequested; life++)
        {
            _email = string.Create(CultureInfo.InvariantCulture, $"person-{_number}-{life}@example.com");
            _password = string.Create(CultureInfo.InvariantCulture, $"the first sentence of {_number} in life {life}");
            _devices.Clear();
            _askedAt = null;
            var isWell = await JoinAsync() && await SignInAsync();
            for (var left = 40 + _dice.Next(80); isWell && left > 0 && !stop.IsCancellationRequested; left--)
            {
                await Task.Delay(20 + _dice.Next(130));
                isWell = _dice.Next(12) switch
                {
                    < 4 => await RefreshAsync(_devices[_dice.Next(_devices.Count)]),
                    < 7 => await ChangeNameAsync(),
                    7 when _askedAt is null => await ForgetAsync(),
                    7 => await ResetAsync(),
                    8 => await SignOutAsync(_devices[^1]),
                    9 => await EndOthersAsync(_devices[0]),
                    _ => await SignInAsync(),
                };
            }
        }
    }

    private async Task<bool> JoinAsync()
    {
        var since = history.Now;
        var body = new { email = _email, password = _password, firstName = "Grace", lastName = "Hopper" };
        // Without a key the same request again is the same registration.
        var wish = Post("register", "auth/register", body) with { Value = _password, Key = _dice.Next(2) == 0 ? NewKey() : null };
        if (await InsistAsync(wish) is not { IsOk: true }
            || await sink.LinkAsync(_email, "verify-email", since, s_mailPatience, stop) is not { } token)
        {
            return false;
        }

        return await InsistAsync(Post("verify", "auth/verify-email", new { token }) with { Key = NewKey() }) is { IsOk: true };
    }

    private async Task<bool> SignInAsync()
    {
        var reply = await InsistAsync(Post("login", "auth/login", new { email = _email, password = _password }) with { Learned = Refreshed });
        if (reply is { IsOk: true })
        {
            _devices.Add(new Device(reply.Member("refreshToken")!, reply.Member("accessToken")!));
        }
        else if (reply is not null)
        {
            history.Contradiction("login", _email, $"an acknowledged password was refused: {reply.Code}");
        }

        return reply is { IsOk: true };
    }

    private async Task<bool> RefreshAsync(Device device)
    {
        var wish = Post("refresh", "auth/refresh", new { refreshToken = device.Refresh }) with
        {
            Value = device.Refresh,
            Key = NewKey(),
            Learned = Refreshed,
        };
        if (await InsistAsync(wish) is not { IsOk: true } reply)
        {
            // Whether it may be refused is judged at the end.
            return false;
        }

        (device.Refresh, device.Access) = (reply.Member("refreshToken")!, reply.Member("accessToken")!);
        return true;
    }

    private async Task<bool> ChangeNameAsync()
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"Grace the {++_wishes}th");
        var wish = new Wish("patch", _email, HttpMethod.Patch, "/api/v1/account", new { firstName = name })
        {
            Network = _network,
            Access = _devices[^1].Access,
            Value = name,
            Key = NewKey(),
        };
        if (await InsistAsync(wish) is not { IsOk: true } reply)
        {
            return false;
        }

        // A client that did not notice that it has its answer.
        if (_dice.Next(3) == 0 && await caller.SendAsync(wish with { Kind = "patch-again" }, ++_turn) is { IsOk: true } again
            && (!again.IsReplayed || again.Text != reply.Text))
        {
            history.Contradiction("patch", _email, $"a repeat with key {wish.Key} was not answered as the first");
        }

        return true;
    }

    private async Task<bool> ForgetAsync()
    {
        _askedAt = history.Now;
        return await InsistAsync(Post("forgot", "auth/forgot-password", new { email = _email }) with { Key = NewKey() }) is { IsOk: true };
    }

    // Whoever waits for a mail goes on with other things meanwhile.
    private async Task<bool> ResetAsync()
    {
        if (sink.Link(_email, "reset-password", _askedAt!.Value) is not { } token)
        {
            return true;
        }

        _askedAt = null;
        var password = string.Create(CultureInfo.InvariantCulture, $"sentence {++_wishes} of somebody, number {_number}");
        var wish = Post("reset", "auth/reset-password", new { token, password }) with { Value = password, Key = NewKey() };
        if (await InsistAsync(wish) is not { IsOk: true })
        {
            return false;
        }

        _password = password;
        _devices.Clear();
        return await SignInAsync();
    }

    private async Task<bool> SignOutAsync(Device device)
    {
        _devices.Remove(device);
        return await InsistAsync(Post("logout", "auth/logout", new { refreshToken = device.Refresh }) with { Value = device.Session }) is { IsOk: true }
            && (_devices.Count > 0 || await SignInAsync());
    }

    private async Task<bool> EndOthersAsync(Device device)
    {
        _devices.RemoveAll(other => other != device);
        return await InsistAsync(new Wish("end-others", _email, HttpMethod.Delete, "/api/v1/account/sessions", null)
        {
            Network = _network,
            Access = device.Access,
            Value = device.Session,
        }) is { IsOk: true };
    }

    /// <summary>Asks until there is an answer, of either instance; null when this is given up or everything ends.</summary>
    private async Task<Reply?> InsistAsync(Wish wish)
    {
        for (var attempt = 0; attempt < MaxAttempts && !stop.IsCancellationRequested; attempt++)
        {
            var reply = await caller.SendAsync(wish, ++_turn);
            if (!reply.IsOpen)
            {
                return reply;
            }

            await Task.Delay(Math.Min(2000, 200 << Math.Min(attempt, 4)));
        }

        return null;
    }

    private Wish Post(string kind, string path, object body) =>
        new(kind, _email, HttpMethod.Post, $"/api/v1/{path}", body) { Network = _network };

    private string NewKey() => string.Create(CultureInfo.InvariantCulture, $"{_email}#{++_wishes}");

    private static string? Refreshed(Reply reply) => reply.Member("refreshToken");

    private sealed class Device(string refresh, string access)
    {
        public string Refresh { get; set; } = refresh;
        public string Access { get; set; } = access;
        public string Session => Tokens.SessionOf(Refresh);
    }
}

/// <summary>Asks for mail to one address at one instance more often than is permitted, whatever it is told.</summary>
internal sealed class Pest(int address, int instance, Caller caller, CancellationToken stop)
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(500);

    public async Task AskAsync()
    {
        var email = string.Create(CultureInfo.InvariantCulture, $"nobody-{address}@example.com");
        var wish = new Wish("ask", email, HttpMethod.Post, "/api/v1/auth/forgot-password", new { email }) { Network = "100.65.0.1" };
        while (!stop.IsCancellationRequested)
        {
            await caller.SendAsync(wish, instance);
            await Task.Delay(s_pause);
        }
    }
}

internal static class Tokens
{
    /// <summary><c>v1.{session}.{generation}.{proof}</c></summary>
    public static string SessionOf(string refreshToken) => refreshToken.Split('.')[1];
}
