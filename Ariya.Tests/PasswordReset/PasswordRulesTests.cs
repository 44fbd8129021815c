using System.Net;
using System.Text.Json.Nodes;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.PasswordReset;

[Collection(RunningAriyaTests.Name)]
public sealed class PasswordRulesTests(RunningAriya ariya)
{
    [Theory]
    [Trait("Promise", "P21")]
    [InlineData("SecurePassword123!")]
    [InlineData("NewSecurePassword123!")]
    [InlineData("NewPassword123!")]
    [InlineData("fifteen letters")]
    [InlineData("пятнадцать букв и пробел")]
    [InlineData("👍🐎🔋📎 fifteen runes")]
    [InlineData("all lower case no digits at all")]
    public async Task GoodPasswordsAreTakenAsTheyAre(string password)
    {
        var person = await RegisteredAsync(password);
        Assert.Equal("email_not_verified", await Person.CodeAsync(await person.LoginAsync(), HttpStatusCode.Forbidden));
        Assert.Equal("invalid_credentials", await Person.CodeAsync(await person.LoginAsync(password + " "), HttpStatusCode.Unauthorized));
    }

    [Theory]
    [Trait("Promise", "P21")]
    [InlineData(15)]
    [InlineData(64)]
    [InlineData(256)]
    public async Task EveryCharacterCounts(int length)
    {
        var start = Unlike(length - 1);
        var person = await RegisteredAsync(start + "a");
        Assert.Equal("email_not_verified", await Person.CodeAsync(await person.LoginAsync(), HttpStatusCode.Forbidden));
        Assert.Equal("invalid_credentials", await Person.CodeAsync(await person.LoginAsync(start + "b"), HttpStatusCode.Unauthorized));
    }

    [Fact]
    [Trait("Promise", "P21")]
    public async Task OneTooManyOrTooFewIsRefusedAndMarksAreCountedAsLetters()
    {
        const string TooShort = "Use at least 15 characters. A sentence is fine.";
        await RefusedAsync(new Person(ariya) { Password = Unlike(14) }, "validation_failed", TooShort);
        await RefusedAsync(new Person(ariya) { Password = Unlike(257) }, "validation_failed", "Use at most 256 characters.");
        await RegisteredAsync(Animals(256));
        await RefusedAsync(new Person(ariya) { Password = Animals(14) }, "validation_failed", TooShort);

        var tooLong = await new Person(ariya).LoginAsync(Unlike(257));
        Assert.Equal("validation_failed", await Person.CodeAsync(tooLong, HttpStatusCode.BadRequest));
    }

    [Fact]
    public async Task TheSameLettersFromAnotherKeyboardAreTheSamePassword()
    {
        var person = await RegisteredAsync("un caf\u00E9 serr\u00E9, merci bien");
        Assert.Equal("email_not_verified", await Person.CodeAsync(
            await person.LoginAsync("un cafe\u0301 serre\u0301, merci bien"), HttpStatusCode.Forbidden));
    }

    [Theory]
    [Trait("Promise", "P21")]
    [InlineData("aaaaaaaaaaaaaaaaaa", "This repeats one short piece.")]
    [InlineData("Abc12Abc12Abc12Abc12", "This repeats one short piece.")]
    [InlineData("abcdefghijklmnopqrstuvwxyz", "This is a run of the alphabet, of digits or of the keyboard.")]
    [InlineData("123456789012345678", "This is a run of the alphabet, of digits or of the keyboard.")]
    [InlineData("qwertyuiopasdfghjkl", "This is a run of the alphabet, of digits or of the keyboard.")]
    [InlineData("9876543210zyxwvu", "This is a run of the alphabet, of digits or of the keyboard.")]
    [InlineData("Ariya-Ariya-2026!", "This is made of your name, your address or the product's name.")]
    [InlineData("GraceHopper1906!!", "This is made of your name, your address or the product's name.")]
    [InlineData("{email}", "This is made of your name, your address or the product's name.")]
    [InlineData("{local}-12345!!", "This is made of your name, your address or the product's name.")]
    [InlineData("PasswordPassword1!", "This is one of the passwords that are tried first.")]
    [InlineData("WelcomeAdmin12345", "This is one of the passwords that are tried first.")]
    public async Task GuessablePasswordsAreRefusedWithTheReason(string password, string reason)
    {
        var person = new Person(ariya);
        person.Password = password.Replace("{email}", person.Email, StringComparison.Ordinal)
            .Replace("{local}", person.Email[..person.Email.IndexOf('@', StringComparison.Ordinal)], StringComparison.Ordinal);
        await RefusedAsync(person, "password_too_weak", reason);
        Assert.Equal(0, await ariya.RegistrationsAsync(person));
    }

    [Fact]
    [Trait("Promise", "P21")]
    public async Task ResettingAndChangingFollowTheSameRules()
    {
        var person = await Person.WithAccountAsync(ariya);
        await person.PostAsync("/api/v1/auth/forgot-password", new { email = person.Email });
        var token = (await person.MailAsync("Choose a new password")).Token;
        var access = (await person.SignInAsync()).Access;
        foreach (var (password, code) in new[]
        {
            ("GraceHopper1906!!", "password_too_weak"), (Unlike(14), "validation_failed"), (Unlike(257), "validation_failed"),
        })
        {
            Assert.Equal(code, await Person.CodeAsync(
                await person.PostAsync("/api/v1/auth/reset-password", new { token, password }), HttpStatusCode.BadRequest));
            Assert.Equal(code, await Person.CodeAsync(await person.SendAsync(
                HttpMethod.Post, "/api/v1/account/password", new { currentPassword = person.Password, newPassword = password }, access),
                HttpStatusCode.BadRequest));
        }

        Assert.Equal(HttpStatusCode.NoContent,
            (await person.PostAsync("/api/v1/auth/reset-password", new { token, password = "NewSecurePassword123!" })).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await person.LoginAsync("NewSecurePassword123!")).StatusCode);
    }

    // Letters without a run or a short repetition.
    private static string Unlike(int length) =>
        string.Concat(Enumerable.Range(0, length).Select(number => "thequickbrownfoxjumpsoverthelazydog "[number * number % 36]));

    // Two UTF-16 units each.
    private static string Animals(int length) =>
        string.Concat(Enumerable.Range(0, length).Select(number => char.ConvertFromUtf32(0x1F400 + (number % 200))));

    private async Task<Person> RegisteredAsync(string password)
    {
        var person = new Person(ariya) { Password = password };
        Assert.Equal(HttpStatusCode.Accepted, (await person.RegisterAsync()).StatusCode);
        return person;
    }

    private static async Task RefusedAsync(Person person, string code, string reason)
    {
        var answer = await person.RegisterAsync();
        Assert.Equal(code, await Person.CodeAsync(answer, HttpStatusCode.BadRequest));
        var problem = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
        Assert.Equal(reason, (string?)Assert.Single(problem["errors"]!["password"]!.AsArray()));
    }
}
