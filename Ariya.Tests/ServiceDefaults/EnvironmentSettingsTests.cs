using Ariya.ServiceDefaults.Settings;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;

namespace Ariya.Tests.ServiceDefaults;

public sealed class EnvironmentSettingsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("ariya-settings-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void UrlsBecomeConnectionStrings()
    {
        var settings = Read(
            ("DATABASE_URL", "postgres://u:p@h/d"), ("REDIS_URL", "redis://cache"), ("NEXTAUTH_URL", "https://app.example"));

        Assert.Equal("Host=h;Port=5432;Username=u;Password=p;Database=d", settings.GetConnectionString("ariyadb"));
        Assert.Equal("cache:6379", settings.GetConnectionString("cache"));
        Assert.Equal("https://app.example", settings["APP_URL"]);
    }

    [Fact]
    public void WhatIsGivenDirectlyWins()
    {
        var settings = Read(
            ("DATABASE_URL", "not a url"), ("ConnectionStrings:ariyadb", "Host=mine"),
            ("REDIS_URL", "not a url"), ("ConnectionStrings:cache", "mine:1"),
            ("NEXTAUTH_URL", "https://old.example"), ("APP_URL", "https://new.example"));

        Assert.Equal("Host=mine", settings.GetConnectionString("ariyadb"));
        Assert.Equal("mine:1", settings.GetConnectionString("cache"));
        Assert.Equal("https://new.example", settings["APP_URL"]);
    }

    [Fact]
    public void EmptyUrlsAreNoUrls()
    {
        var settings = Read(("DATABASE_URL", ""), ("REDIS_URL", ""));

        Assert.Null(settings.GetConnectionString("ariyadb"));
        Assert.Null(settings.GetConnectionString("cache"));
    }

    [Theory]
    [InlineData("JWT_SECRET")]
    [InlineData("JWT_SECRET_PREVIOUS")]
    [InlineData("JWT_REFRESH_SECRET")]
    [InlineData("JWT_REFRESH_SECRET_PREVIOUS")]
    [InlineData("SMTP_PASSWORD")]
    [InlineData("ConnectionStrings:ariyadb")]
    public void ASecretIsReadFromItsFileWithoutTheLastLineBreak(string name)
    {
        Assert.Equal(" s3cret ", Read((name + "_FILE", Write("secret", " s3cret \r\n")))[name]);
    }

    [Fact]
    public void AUrlInAFileIsRead()
    {
        var settings = Read(
            ("DATABASE_URL_FILE", Write("url", "postgres://u:p@h/d\n")), ("REDIS_URL_FILE", Write("redis", "redis://cache")));

        Assert.Equal("Host=h;Port=5432;Username=u;Password=p;Database=d", settings.GetConnectionString("ariyadb"));
        Assert.Equal("cache:6379", settings.GetConnectionString("cache"));
    }

    [Fact]
    public void ASecretFileThatCannotBeUsedIsAnErrorWithItsName()
    {
        AssertRefused("JWT_SECRET_FILE", ("JWT_SECRET_FILE", Path.Combine(_folder, "missing")));
        AssertRefused("JWT_SECRET_FILE", ("JWT_SECRET_FILE", Write("empty", "\n")));
        AssertRefused("both set", ("JWT_SECRET_FILE", Write("secret", "x")), ("JWT_SECRET", "hunter2"));
    }

    [Fact]
    public void TheEnvFileBesideTheSolutionIsReadInDevelopmentOnly()
    {
        Write("Ariya.sln", "");
        Write(".env", "DATABASE_URL=postgres://u:p@h/d\nLogging__LogLevel__Default=Trace\n");
        var project = Directory.CreateDirectory(Path.Combine(_folder, "Ariya.Api")).FullName;

        var development = Read(Environments.Development, project);
        Assert.Equal("Host=h;Port=5432;Username=u;Password=p;Database=d", development.GetConnectionString("ariyadb"));
        Assert.Equal("Trace", development["Logging:LogLevel:Default"]);
        Assert.Null(Read(Environments.Production, project).GetConnectionString("ariyadb"));
    }

    [Fact]
    public void EverythingThatCannotBeReadIsToldAtOnce()
    {
        Write("Ariya.sln", "");
        Write(".env", "hunter2\nA='hunter2\nDATABASE_URL=hunter2\n");
        var error = Assert.Throws<WrongSettingsException>(() => Read(
            Environments.Development, _folder, ("JWT_SECRET_FILE", "/hunter2"), ("SMTP_PASSWORD_FILE", Write("empty", "")), ("REDIS_URL", "hunter2")));
        string[] expected = [".env: line 1", ".env: line 2", "JWT_SECRET_FILE", "SMTP_PASSWORD_FILE", "DATABASE_URL", "REDIS_URL"];
        var lines = error.Message.Split('\n')[1..];
        Assert.Equal(expected.Length, lines.Length);
        Assert.All(expected, name => Assert.Contains(lines, line => line.StartsWith($"- {name}", StringComparison.Ordinal)));
        Assert.DoesNotContain("hunter2", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheRealEnvironmentWinsOverTheEnvFile()
    {
        const string Name = "ARIYA_TEST_ENVIRONMENT_WINS";
        Write("Ariya.sln", "");
        Write(".env", $"{Name}=file\n{Name}_FILE=file\n{Name}_OTHER=file\nARIYA_TEST_SETTINGS__LEVEL=file\n");
        Write("appsettings.json", """{"ARIYA_TEST_SETTINGS":{"LEVEL":"settings"}}""");
        Environment.SetEnvironmentVariable(Name, "real");
        try
        {
            var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings
            {
                EnvironmentName = Environments.Development,
                ContentRootPath = _folder,
                Args = [$"--{Name}_OTHER=argument"],
            });
            builder.AddEnvironmentSettings();

            Assert.Equal("real", builder.Configuration[Name]);
            Assert.Null(builder.Configuration[Name + "_FILE"]);
            Assert.Equal("argument", builder.Configuration[Name + "_OTHER"]);
            Assert.Equal("file", builder.Configuration["ARIYA_TEST_SETTINGS:LEVEL"]);
        }
        finally
        {
            Environment.SetEnvironmentVariable(Name, null);
        }
    }

    [Theory]
    [InlineData("production", null, null, "Production")]
    [InlineData("development", "", null, "Development")]
    [InlineData("test", null, "", "Test")]
    [InlineData("STAGING", null, null, "Staging")]
    [InlineData("production", "Development", null, null)]
    [InlineData("production", null, "Development", null)]
    [InlineData("", null, null, null)]
    [InlineData(null, null, null, null)]
    public void NodeEnvironmentCountsWhenNoOtherIsSet(string? node, string? aspNetCore, string? dotnet, string? expected)
    {
        var name = EnvironmentSettings.NodeEnvironment(variable => variable switch
        {
            "NODE_ENV" => node,
            "ASPNETCORE_ENVIRONMENT" => aspNetCore,
            "DOTNET_ENVIRONMENT" => dotnet,
            _ => null,
        });

        Assert.Equal(expected, name);
    }

    private static void AssertRefused(string expected, params (string Key, string Value)[] values)
    {
        var error = Assert.Throws<WrongSettingsException>(() => Read(values));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", error.Message, StringComparison.Ordinal);
    }

    private static ConfigurationManager Read(params (string Key, string Value)[] values) =>
        Read(Environments.Production, Path.GetTempPath(), values);

    private static ConfigurationManager Read(string environment, string folder, params (string Key, string Value)[] values)
    {
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings
        {
            DisableDefaults = true,
            EnvironmentName = environment,
            ContentRootPath = folder,
        });
        builder.Configuration.AddInMemoryCollection(values.ToDictionary(value => value.Key, value => (string?)value.Value));
        builder.AddEnvironmentSettings().ThrowIfSettingsAreWrong();
        return builder.Configuration;
    }

    private string Write(string name, string text)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }
}
