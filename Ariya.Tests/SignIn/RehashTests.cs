using System.Net;
using System.Security.Cryptography;
using System.Text;
using Ariya.Data.Passwords;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.SignIn;

[Collection(RunningAriyaTests.Name)]
public sealed class RehashTests(RunningAriya ariya)
{
    [Fact]
    [Trait("Promise", "P29")]
    public async Task AWeakerHashIsReplacedByTheNextSignInAndByNothingElse()
    {
        var person = await Person.WithAccountAsync(ariya);
        var algorithm = (await ariya.ScalarAsync<string>("select value from deployment_settings where name = 'password_algorithm'"))!;
        Assert.False(PasswordHash.NeedsRehash(await HashAsync(person), algorithm));

        var weak = Weak(person.Password);
        await ariya.SqlAsync("update accounts set password_hash = $1 where email_canonical = $2", weak, person.Email);
        Assert.Equal("invalid_credentials", await Person.CodeAsync(
            await person.LoginAsync("nobody has this password"), HttpStatusCode.Unauthorized));
        Assert.Equal(weak, await HashAsync(person));

        var tokens = await person.SignInAsync();
        var strong = await HashAsync(person);
        Assert.False(PasswordHash.NeedsRehash(strong, algorithm));
        Assert.True(PasswordHash.Verify(strong, person.Password));
        Assert.Equal(HttpStatusCode.OK, (await person.RefreshAsync(tokens.Refresh)).StatusCode);
        await person.SignInAsync();
        Assert.Equal(strong, await HashAsync(person));
        Assert.DoesNotContain(await person.AllMailsAsync(), mail => mail.Subject == "Your password was changed");
    }

    [Fact]
    [Trait("Promise", "P29")]
    public async Task ManySignInsOnAWeakHashAtOnceAllOpen()
    {
        var person = await Person.WithAccountAsync(ariya);
        await ariya.SqlAsync("update accounts set password_hash = $1 where email_canonical = $2", Weak(person.Password), person.Email);
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => person.LoginAsync()));
        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));
        await person.SignInAsync();
    }

    private async Task<string> HashAsync(Person person) =>
        (await ariya.ScalarAsync<string>("select password_hash from accounts where email_canonical = $1", person.Email))!;

    private static string Weak(string password)
    {
        var salt = RandomNumberGenerator.GetBytes(16);
        var hash = Rfc2898DeriveBytes.Pbkdf2(Encoding.UTF8.GetBytes(password), salt, 10_000, HashAlgorithmName.SHA512, 32);
        return $"$pbkdf2-sha512$i=10000${Convert.ToBase64String(salt).TrimEnd('=')}${Convert.ToBase64String(hash).TrimEnd('=')}";
    }
}
