using System.Text.RegularExpressions;
using Npgsql;

namespace Ariya.ServiceDefaults.Settings;

/// <summary>DATABASE_URL, as Prisma and libpq write it, to a connection string of Npgsql.</summary>
internal static partial class DatabaseUrl
{
    private const string Setting = "DATABASE_URL";

    public static string ToConnectionString(string value)
    {
        var url = ServerUrl.Parse(Setting, value, "postgresql", "postgres");
        if (url.User.Length == 0 || url.Path.Length == 0)
        {
            throw url.Invalid("it must name a user and a database: postgresql://user:password@host:5432/database");
        }

        if (url.Path.Contains('/'))
        {
            throw url.Invalid("its path must be the name of the database alone.");
        }

        var connection = new NpgsqlConnectionStringBuilder
        {
            Host = url.Host,
            Port = url.Port ?? 5432,
            Username = url.User,
            Password = url.Password,
            Database = url.Path,
        };
        foreach (var (option, setting) in url.Options)
        {
            switch (option)
            {
                case "sslmode":
                    connection.SslMode = SslModeOf(url, setting);
                    break;
                case "schema":
                    connection.SearchPath = SearchPathOf(url, setting);
                    break;
                default:
                    throw url.UnknownOption(option, "set ConnectionStrings__ariyadb to use options of the driver.");
            }
        }

        return connection.ConnectionString;
    }

    private static SslMode SslModeOf(ServerUrl url, string value) => value switch
    {
        "disable" => SslMode.Disable,
        "allow" => SslMode.Allow,
        "prefer" => SslMode.Prefer,
        "require" => SslMode.Require,
        "verify-ca" => SslMode.VerifyCA,
        "verify-full" => SslMode.VerifyFull,
        _ => throw url.Invalid("sslmode must be disable, allow, prefer, require, verify-ca or verify-full."),
    };

    // The server reads the search path as SQL, so a name that is more than lower-case letters and digits is quoted.
    private static string SearchPathOf(ServerUrl url, string schema)
    {
        if (!SchemaName().IsMatch(schema))
        {
            throw url.Invalid("schema must be one name of letters, digits, '_', '-' or '$'.");
        }

        return PlainName().IsMatch(schema) ? schema : $"\"{schema}\"";
    }

    [GeneratedRegex("^[A-Za-z0-9_$-]{1,63}$")]
    private static partial Regex SchemaName();

    [GeneratedRegex("^[a-z_][a-z0-9_]*$")]
    private static partial Regex PlainName();
}
