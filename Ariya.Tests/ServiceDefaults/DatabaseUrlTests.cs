using Ariya.ServiceDefaults.Settings;
using Npgsql;

namespace Ariya.Tests.ServiceDefaults;

public sealed class DatabaseUrlTests
{
    [Theory]
    [InlineData("postgresql://ann:pw@db.example:6432/shop", "db.example", 6432, "ann", "pw", "shop")]
    [InlineData("postgres://ann:pw@my_db/shop", "my_db", 5432, "ann", "pw", "shop")]
    [InlineData("POSTGRES://ann@localhost/shop", "localhost", 5432, "ann", null, "shop")]
    [InlineData("postgresql://a%40b:p%2Fw%3A%3F%23%25%C3%A4@h/my%20shop", "h", 5432, "a@b", "p/w:?#%ä", "my shop")]
    [InlineData("postgresql://ann:p@w:d@h/shop", "h", 5432, "ann", "p@w:d", "shop")]
    [InlineData("postgresql://ann:p;w'\"=x@h/shop", "h", 5432, "ann", "p;w'\"=x", "shop")]
    [InlineData("postgresql://ann:pw@[::1]:5433/shop", "::1", 5433, "ann", "pw", "shop")]
    [InlineData("  postgresql://ann:p+w@10.0.0.1/shop?  ", "10.0.0.1", 5432, "ann", "p+w", "shop")]
    public void AUrlBecomesAConnectionString(string url, string host, int port, string user, string? password, string database)
    {
        var connection = new NpgsqlConnectionStringBuilder(DatabaseUrl.ToConnectionString(url));

        Assert.Equal((host, port, user, password, database),
            (connection.Host, connection.Port, connection.Username, connection.Password, connection.Database));
    }

    [Theory]
    [InlineData("disable", SslMode.Disable)]
    [InlineData("allow", SslMode.Allow)]
    [InlineData("prefer", SslMode.Prefer)]
    [InlineData("require", SslMode.Require)]
    [InlineData("verify-ca", SslMode.VerifyCA)]
    [InlineData("verify-full", SslMode.VerifyFull)]
    public void SslModeIsMapped(string value, SslMode expected)
    {
        var connection = new NpgsqlConnectionStringBuilder(DatabaseUrl.ToConnectionString($"postgres://u:p@h/d?sslmode={value}"));

        Assert.Equal(expected, connection.SslMode);
    }

    [Theory]
    [InlineData("public", "public")]
    [InlineData("My-App", "\"My-App\"")]
    public void SchemaBecomesTheSearchPath(string schema, string expected)
    {
        var connection = new NpgsqlConnectionStringBuilder(
            DatabaseUrl.ToConnectionString($"postgres://u:p@h/d?schema={schema}&sslmode=require"));

        Assert.Equal(expected, connection.SearchPath);
        Assert.Equal(SslMode.Require, connection.SslMode);
    }

    [Theory]
    [InlineData("postgres://u:hunter2@h/d?connection_limit=5", "'connection_limit'")]
    [InlineData("postgres://u:hunter2@h/d?pgbouncer=true", "'pgbouncer'")]
    [InlineData("postgres://u:hunter2@h/d?sslmode=no-verify", "sslmode must be")]
    [InlineData("postgres://u:hunter2@h/d?sslmode=require&sslmode=disable", "twice")]
    [InlineData("postgres://u:hunter2@h/d?schema=a,b", "schema must be one name")]
    [InlineData("mysql://u:hunter2@h/d", "postgresql:// or postgres://")]
    [InlineData("Host=h;Password=hunter2", "postgresql:// or postgres://")]
    [InlineData("postgres://u:hunter2@h", "a user and a database")]
    [InlineData("postgres://h/d", "a user and a database")]
    [InlineData("postgres://u:hunter2@h/d/e", "the database alone")]
    [InlineData("postgres://u:hunter2@h1,h2/d", "one host")]
    [InlineData("postgres://u:hunter2@h:99999/d", "65535")]
    [InlineData("postgres://u:hunter2@/d", "one host")]
    [InlineData("postgres://u:hun#ter2@h/d", "percent-encoded")]
    [InlineData("postgres://u:hunter2/x@h/d", "percent-encoded")]
    [InlineData("postgres://u:12?hunter2@h/d", "percent-encoded")]
    [InlineData("postgres://u:12/hunter2@h/d", "percent-encoded")]
    [InlineData("postgres://u:hunter2%zz@h/d", "percent-encoded")]
    [InlineData("postgres://u:hunter2%00@h/d", "control character")]
    public void WhatCannotBeUsedIsNamedWithoutThePassword(string url, string expected)
    {
        var error = Assert.Throws<InvalidOperationException>(() => DatabaseUrl.ToConnectionString(url));

        Assert.StartsWith("DATABASE_URL", error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hun", error.ToString(), StringComparison.Ordinal);
    }
}
