using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Ariya.Data.Tokens;
using Ariya.Tests.Contract;
using Ariya.Tests.Degraded;

namespace Ariya.Tests.Programs;

/// <summary>Instances whose clocks are wrong by days: mailed links end when the database says so.</summary>
[Collection(ServerRoomTests.Name)]
public sealed class ClockTests(ServerRoom server)
{
    [Theory]
    [Trait("Promise", "P58")]
    [InlineData(-2)]
    [InlineData(0)]
    [InlineData(2)]
    public async Task ALinkIsGoodToTheSameMomentWhateverTheInstanceTakesForTheTime(int daysAhead)
    {
        await using var room = await server.OpenAsync();
        await using var api = ApiHost.At(new ShiftedClock(TimeSpan.FromDays(daysAhead)), room.Connection, server.Redis.ConnectionString);
        using var client = api.CreateClient();
        await room.AddAccountAsync();
        await room.SqlAsync("update accounts set password_changed_at = now() - interval '1 day'");
        await room.SqlAsync(
            """
            insert into registrations (id, email, email_canonical, password_hash, first_name, last_name, fingerprint, network, user_agent, expires_at)
            values (gen_random_uuid(), 'ada@example.com', 'ada@example.com', 'none', 'Ada', 'L', '\x00', 'n', 'a', now() + interval '7 days')
            """);
        foreach (var (page, purpose, subject) in new[]
        {
            ("/reset-password", OneTimeToken.ResetPassword, "(select id from accounts)"),
            ("/verify-email", OneTimeToken.VerifyEmail, "(select id from registrations)"),
        })
        {
            var token = Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes(page)));
            await room.SqlAsync(
                $"""
                 with m as (
                   insert into outbox_messages (id, mail_id, kind, state, deliver_before, salt)
                   values (gen_random_uuid(), gen_random_uuid(), 'mail.test.v1', 'sent', now(), '\x00') returning id)
                 insert into one_time_tokens (message_id, purpose, subject_id, address, token_hash, salt, key_id, expires_at)
                 select m.id, $1, {subject}, 'ada@example.com', $2, '\x00', 'key', now() from m
                 """, purpose, OneTimeTokenKeys.Hash(token)!);
            async Task<HttpStatusCode> OpenAsync(string end)
            {
                await room.SqlAsync("update one_time_tokens set expires_at = clock_timestamp() + $1::text::interval where purpose = $2", end, purpose);
                return (await client.GetAsync(new Uri($"{page}?token={token}", UriKind.Relative))).StatusCode;
            }

            Assert.Equal(HttpStatusCode.OK, await OpenAsync("60 seconds"));
            Assert.Equal(HttpStatusCode.BadRequest, await OpenAsync("-1 millisecond"));

            // The button too: what it does is decided by another statement.
            async Task<string> PressAsync()
            {
                using var form = new FormUrlEncodedContent([new("token", token), new("password", page == "/reset-password" ? "another sentence nobody types" : "")]);
                using var answer = await client.PostAsync(new Uri(page, UriKind.Relative), form);
                return answer.RequestMessage!.RequestUri!.PathAndQuery;
            }

            Assert.Equal($"{page}?result=expired", await PressAsync());
            Assert.Equal(HttpStatusCode.OK, await OpenAsync("60 seconds"));
            Assert.Equal($"{page}?result={(page == "/reset-password" ? "done" : "verified")}", await PressAsync());
        }
    }

    private sealed class ShiftedClock(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + by;
    }
}
