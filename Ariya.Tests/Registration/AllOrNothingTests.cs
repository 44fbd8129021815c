using System.Net;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Registration;

/// <summary>A change, its mail and its audit are written together or not at all: here the database takes all of them but one.</summary>
[Collection(RunningAriyaTests.Name)]
public sealed class AllOrNothingTests(RunningAriya ariya)
{
    [Theory]
    [Trait("Promise", "P44")]
    [InlineData("registrations", "email_canonical")]
    [InlineData("outbox_messages", "recipient")]
    [InlineData("audit_events", "user_agent")]
    public async Task ARegistrationItsMailAndItsAuditAreThereTogetherOrNotAtAll(string table, string column)
    {
        var person = new Person(ariya) { UserAgent = $"a program {Guid.CreateVersion7():N}" };
        await using (await ARefusal.OfAsync(ariya, table, column, column == "user_agent" ? person.UserAgent : person.Email))
        {
            using var answer = await person.RegisterAsync();
            Assert.Equal("unavailable", await Person.CodeAsync(answer, HttpStatusCode.ServiceUnavailable));
        }

        Assert.Equal(0, await ariya.RegistrationsAsync(person));
        Assert.Equal(0, await ariya.ScalarAsync<long>("select count(*) from outbox_messages where recipient = $1", person.Email));
        Assert.Equal(0, await ariya.ScalarAsync<long>("select count(*) from audit_events where user_agent = $1", person.UserAgent));
        // Nothing half done stands in the way of the next try.
        Assert.Equal(HttpStatusCode.Accepted, (await person.RegisterAsync()).StatusCode);
        Assert.Single(await person.AllMailsAsync());
    }

    [Theory]
    [Trait("Promise", "P44")]
    [InlineData("accounts", "email_canonical")]
    [InlineData("outbox_messages", "recipient")]
    public async Task AnAccountItsUsedLinkAndItsWelcomeAreThereTogetherOrNotAtAll(string table, string column)
    {
        var person = new Person(ariya);
        await person.RegisterAsync();
        var token = (await person.MailAsync("Confirm your e-mail address")).Token;
        await using (await ARefusal.OfAsync(ariya, table, column, person.Email))
        {
            using var answer = await person.VerifyAsync(token);
            Assert.Equal("unavailable", await Person.CodeAsync(answer, HttpStatusCode.ServiceUnavailable));
        }

        Assert.Equal(0, await ariya.AccountsAsync(person));
        Assert.Single(await person.AllMailsAsync());
        Assert.Equal("verified", await Person.StatusAsync(await person.VerifyAsync(token)));
    }

    /// <summary>As if the disk were full for the rows of one person.</summary>
    private sealed class ARefusal(RunningAriya ariya, string name, string table) : IAsyncDisposable
    {
        public static async Task<ARefusal> OfAsync(RunningAriya ariya, string table, string column, string value)
        {
            var name = $"refuse_{Guid.CreateVersion7():N}";
            await ariya.SqlAsync(
                $$"""
                 create function {{name}}() returns trigger language plpgsql as $$ begin raise exception 'no space' using errcode = '53100'; end $$;
                 create trigger {{name}} before insert on {{table}} for each row when (new.{{column}} = '{{value}}') execute function {{name}}()
                 """);
            return new ARefusal(ariya, name, table);
        }

        public async ValueTask DisposeAsync() => await ariya.SqlAsync($"drop trigger {name} on {table}; drop function {name}()");
    }
}
