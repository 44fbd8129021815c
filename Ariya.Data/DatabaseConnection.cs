using Npgsql;

namespace Ariya.Data;

/// <summary>What every connection of the product has in common, whoever made the connection string.</summary>
public static class DatabaseConnection
{
    /// <summary>
    /// Adds what the statements rely on: automatic preparation (about twice the throughput), no reset between leases
    /// (the program sets no session state), 5 s for a statement or a lock, 40 connections. Values in the connection string win over these,
    /// but errors never hold what stands in a row.
    /// </summary>
    /// <param name="connectionString">An Npgsql connection string.</param>
    /// <param name="applicationName">Shown in <c>pg_stat_activity</c>.</param>
    /// <param name="isPatient">For commands that an operator waits for: statements may take as long as they need.</param>
    public static string Tune(string connectionString, string applicationName, bool isPatient = false)
    {
        var builder = new NpgsqlConnectionStringBuilder(connectionString);
        Default("Max Auto Prepare", 100);
        Default("Auto Prepare Min Usages", 2);
        Default("No Reset On Close", true);
        // A server whose network is gone costs a statement its own time and two of these, for the request to cancel it. More would be a hang.
        Default("Timeout", isPatient ? 15 : 3);
        Default("Command Timeout", isPatient ? 0 : 6);
        // Two instances and a worker fit into the 100 that a server takes by default: one flood must not take them all.
        Default("Maximum Pool Size", 40);
        Default("Application Name", applicationName);
        Default("Options", isPatient
            ? "-c statement_timeout=0 -c lock_timeout=60000"
            : "-c statement_timeout=5000 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=15000");
        if (isPatient && builder.MaxPoolSize < 2)
        {
            // `migrate` holds one for its lock and asks on another.
            builder.MaxPoolSize = 2;
        }

        // Errors with it hold the values of rows, and errors are logged.
        builder.IncludeErrorDetail = false;
        return builder.ConnectionString;

        void Default(string keyword, object value)
        {
            if (!builder.ShouldSerialize(keyword))
            {
                builder[keyword] = value;
            }
        }
    }
}
