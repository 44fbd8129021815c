using Ariya.Api.Http;
using Ariya.Api.Limits;
using Ariya.Data.Keys;
using Ariya.ServiceDefaults.Settings;
using Ariya.Tests.Mail.Outbox;
using Ariya.Worker.Cleanup;
using Ariya.Worker.Mail;
using Ariya.Worker.Mail.Smtp;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Ariya.Tests.ServiceDefaults;

public sealed class StartSettingsTests
{
    private const string Good = "a secret of the tests, 32 characters and more";
    private const string GoodToo = "another secret of the tests, 32 characters and more";
    private const string Guide = "your-super-secret-jwt-key-at-least-32-characters-long";

    [Theory]
    [Trait("Promise", "P64")]
    [InlineData("JWT_SECRET", "", "JWT_SECRET is not set")]
    [InlineData("JWT_SECRET", "short", "JWT_SECRET is too weak")]
    [InlineData("JWT_SECRET", "0123456789abcdef0123456789abcde", "JWT_SECRET is too weak")]
    [InlineData("JWT_SECRET", "0123456789abcde0123456789abcde0123456789abcde", "JWT_SECRET is too weak")]
    [InlineData("JWT_SECRET", Guide, "JWT_SECRET is an example")]
    [InlineData("JWT_SECRET", "your-super-secret-nextauth-key-at-least-32-characters-long", "JWT_SECRET is an example")]
    [InlineData("JWT_REFRESH_SECRET", "", "JWT_REFRESH_SECRET is not set")]
    [InlineData("JWT_REFRESH_SECRET", "short", "JWT_REFRESH_SECRET is too weak")]
    [InlineData("JWT_REFRESH_SECRET", "your-super-secret-jwt-refresh-key-at-least-32-characters-long", "JWT_REFRESH_SECRET is an example")]
    [InlineData("JWT_REFRESH_SECRET", Good, "JWT_SECRET and JWT_REFRESH_SECRET are equal")]
    [InlineData("JWT_SECRET_PREVIOUS", Guide, "JWT_SECRET_PREVIOUS is an example")]
    [InlineData("JWT_SECRET_PREVIOUS", Good, "JWT_SECRET and JWT_SECRET_PREVIOUS are equal")]
    [InlineData("JWT_SECRET_PREVIOUS", GoodToo, "JWT_SECRET_PREVIOUS and JWT_REFRESH_SECRET are equal")]
    [InlineData("JWT_REFRESH_SECRET_PREVIOUS", "short", "JWT_REFRESH_SECRET_PREVIOUS is too weak")]
    [InlineData("JWT_REFRESH_SECRET_PREVIOUS", Good, "JWT_SECRET and JWT_REFRESH_SECRET_PREVIOUS are equal")]
    public void AWrongSecretIsNamedOnceAndNotShown(string name, string value, string expected)
    {
        var builder = Builder(Environments.Production, ("JWT_SECRET", Good), ("JWT_REFRESH_SECRET", GoodToo), (name, value));
        builder.AddSetting(() => SecretSettings.Read(builder.Configuration, SecretSettings.JwtSecret));
        builder.ReadSetting(() => SecretSettings.Read(builder.Configuration, SecretSettings.JwtRefreshSecret));

        var error = Assert.Throws<WrongSettingsException>(builder.ThrowIfSettingsAreWrong);
        Assert.Equal(2, error.Message.Split('\n').Length);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.True(value.Length == 0 || !error.Message.Contains(value, StringComparison.Ordinal), error.Message);
    }

    [Theory]
    [InlineData("Host=db.example.com", false)]
    [InlineData("Host=db.example.com;SSL Mode=Require", false)]
    [InlineData("Host=db.example.com;SSL Mode=VerifyCA", false)]
    [InlineData("Host=db.example.com;SSL Mode=VerifyFull", true)]
    [InlineData("Host=10.0.0.5", false)]
    [InlineData("Host=localhost,db.example.com", false)]
    [InlineData("Host=localhost:5432,127.0.0.1:5433", true)]
    [InlineData("Host=127.0.0.1", true)]
    [InlineData("Host=::1", true)]
    [InlineData("Host=/var/run/postgresql", true)]
    public void OverANetworkPostgreSqlMustProveWhoItIs(string connection, bool isGood)
    {
        Assert.Equal(isGood ? null : "PostgreSQL is on another machine", Check(Environments.Production, connection));
        Assert.Null(Check(Environments.Development, connection));
        Assert.Null(Check(Environments.Production, connection, ("Database:TlsNotRequiredBecause", "the mesh does it")));
        Assert.Equal(isGood ? null : "PostgreSQL is on another machine", Check(Environments.Production, connection, ("Database:TlsNotRequiredBecause", " ")));

        static string? Check(string environment, string connection, params (string, string)[] settings) =>
            Fault(environment, builder => builder.CheckDatabase($"{connection};Username=u;Password=hunter2"), settings);
    }

    [Theory]
    [InlineData("cache.example.com:6379", false)]
    [InlineData("cache.example.com:6379,ssl=true", false)]
    [InlineData("cache.example.com:6379,password=hunter2", false)]
    [InlineData("cache.example.com:6379,password=hunter2,ssl=true", true)]
    [InlineData("10.0.0.5:6379,password=hunter2", false)]
    [InlineData("127.0.0.1:6379", true)]
    [InlineData("localhost:6379", true)]
    public void OverANetworkRedisNeedsTlsAndAPassword(string connection, bool isGood)
    {
        Assert.Equal(isGood ? null : "Redis is on another machine", Check(Environments.Production, connection, ""));
        Assert.Null(Check(Environments.Development, connection, ""));
        Assert.Null(Check(Environments.Production, connection, "the mesh does it"));

        static string? Check(string environment, string connection, string reason) =>
            Fault(environment, builder => builder.CheckRedis(connection, isOptional: false, reason));
    }

    [Fact]
    public void RedisMayBeMissingWhereThatIsSaid()
    {
        Assert.StartsWith("REDIS_URL", Fault(Environments.Production, builder => builder.CheckRedis(null, isOptional: false, "")), StringComparison.Ordinal);
        Assert.Null(Fault(Environments.Production, builder => builder.CheckRedis(null, isOptional: true, "")));
        Assert.Null(Fault(Environments.Development, builder => builder.CheckRedis(null, isOptional: false, "")));
    }

    [Theory]
    [InlineData("hunter2")]
    [InlineData("Host=h;hunter2=1")]
    [InlineData("Host=h;Port=hunter2")]
    [InlineData("Host=h;SSL Mode=hunter2")]
    public void AConnectionStringThatIsNoneIsNotShown(string connection) => Assert.StartsWith(
        "ConnectionStrings__ariyadb", Fault(Environments.Development, builder => builder.CheckDatabase(connection)), StringComparison.Ordinal);

    [Theory]
    [InlineData("h:1,hunter2=1")]
    [InlineData("h:1,connectTimeout=hunter2")]
    [InlineData("password=hunter2")]
    public void ARedisConnectionStringThatIsNoneIsNotShown(string connection) => Assert.StartsWith(
        "ConnectionStrings__cache", Fault(Environments.Development, builder => builder.CheckRedis(connection, false, "")), StringComparison.Ordinal);

    [Theory]
    [InlineData("", false, false)]
    [InlineData("accounts.example.com", false, false)]
    [InlineData("ftp://accounts.example.com", false, false)]
    [InlineData("https://accounts.example.com?a=b", false, false)]
    [InlineData("http://accounts.example.com", false, true)]
    [InlineData("http://localhost:8080", false, true)]
    [InlineData("https://accounts.example.com", true, true)]
    public void ThePublicAddressIsEncryptedOutsideDevelopment(string url, bool isGood, bool isGoodInDevelopment)
    {
        Assert.Equal(isGood, Fault(Environments.Production, Read, ("APP_URL", url)) is null);
        Assert.Equal(isGood, Fault(Environments.Staging, Read, ("APP_URL", url)) is null);
        Assert.Equal(isGoodInDevelopment, Fault(Environments.Development, Read, ("APP_URL", url)) is null);

        static void Read(IHostApplicationBuilder builder) => builder.ReadSetting(() => PublicUrl.Read(builder.Configuration, builder.Environment));
    }

    [Fact]
    [Trait("Promise", "P64")]
    public void EveryOptionThatIsWrongIsListedByItsName()
    {
        var builder = Builder(Environments.Production,
            ("RateLimits:AuthPermits", "-1"), ("RateLimits:AuthWindow", "soon"), ("RateLimits:MailPermits", "many"), ("RateLimits:MailWindow", "99.00:00:00"),
            ("RateLimits:ApiPermits", "7"), ("RateLimits:ApiWindow", ""), ("Cleanup:Schedule", "at night"), ("Cleanup:TimeZone", "Nowhere"),
            ("SMTP_HOST", "relay.example.com"), ("SMTP_PORT", "many"), ("SMTP_FROM", "nobody"));
        var limits = builder.AddSettings<RateLimitOptions>(RateLimitOptions.Section);
        builder.AddCleanup();
        builder.ReadSetting(() => SmtpSettings.Read(builder.Configuration));

        var error = Assert.Throws<WrongSettingsException>(builder.ThrowIfSettingsAreWrong);
        var faults = error.Message.Split('\n')[1..].Select(line => line.Split(' ')[1].TrimEnd(':')).ToList();
        Assert.Equal(
        [
            "RateLimits__AuthPermits", "RateLimits__AuthWindow", "RateLimits__MailPermits", "RateLimits__MailWindow", "Cleanup__Schedule", "Cleanup__TimeZone",
            "SMTP_PORT", "SMTP_FROM",
        ], faults);
        Assert.Equal((7, TimeSpan.FromHours(1)), (limits.ApiPermits, limits.ApiWindow));
        Assert.Same(limits, builder.Services.BuildServiceProvider().GetRequiredService<IOptions<RateLimitOptions>>().Value);
    }

    [Fact]
    public void MailNeedsARelayOutsideDevelopment()
    {
        Assert.StartsWith("SMTP_HOST is not set", Fault(Environments.Production, builder => builder.AddMail()), StringComparison.Ordinal);
        Assert.Null(Fault(Environments.Production, builder => builder.AddMail(), ("SMTP_HOST", "relay.example.com")));
        Assert.Null(Fault(Environments.Development, builder => builder.AddMail()));
    }

    [Theory]
    [InlineData("*", false)]
    [InlineData("https://*.example.com", false)]
    [InlineData("https://app.example.com/", false)]
    [InlineData("https://app.example.com:443", false)]
    [InlineData("https://App.example.com", false)]
    [InlineData("app.example.com", false)]
    [InlineData("null", false)]
    [InlineData("https://app.example.com, *", false)]
    [InlineData("https://app.example.com,http://localhost:3000", true)]
    [InlineData("", true)]
    public void OriginsAreExact(string origins, bool isGood)
    {
        var fault = Fault(Environments.Production, builder => builder.AddCrossOrigin(), ("Cors:Origins", origins));
        Assert.Equal(isGood ? null : "Cors__Origins", fault);
    }

    [Fact]
    public async Task TheReasonForGoingWithoutTlsIsToldAtTheStart()
    {
        using var log = new LogLines();
        var builder = Builder(Environments.Production, ("Database:TlsNotRequiredBecause", "the mesh does it"));
        builder.Logging.AddProvider(log);
        builder.CheckDatabase("Host=db.example.com;Username=u;Password=hunter2");
        using var host = builder.Build();
        await host.StartAsync();
        await host.StopAsync();
        Assert.Equal("Warning: PostgreSQL is on another machine and is not required to prove who it is, because: the mesh does it", await log.ContainingAsync("mesh"));
        Assert.Equal(1, log.Count("mesh"));
    }

    // The start of what is told; null when nothing is wrong.
    private static string? Fault(string environment, Action<IHostApplicationBuilder> check, params (string Name, string Value)[] settings)
    {
        var builder = Builder(environment, settings);
        check(builder);
        try
        {
            builder.ThrowIfSettingsAreWrong();
            return null;
        }
        catch (WrongSettingsException exception)
        {
            Assert.DoesNotContain("hunter2", exception.Message, StringComparison.Ordinal);
            return exception.Message.Split("\n- ")[1].Split(':')[0];
        }
    }

    private static HostApplicationBuilder Builder(string environment, params (string Name, string Value)[] settings)
    {
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true, EnvironmentName = environment });
        foreach (var (name, value) in settings)
        {
            builder.Configuration[name] = value;
        }

        return builder;
    }
}
