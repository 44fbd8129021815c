using System.Data;
using System.Runtime.CompilerServices;
using System.Text;
using Npgsql;
using NpgsqlTypes;

namespace Ariya.Data;

/// <summary>
/// One SQL statement with its values as parameters: <c>$"… where id = {id}"</c> is sent as <c>… where id = $1</c>.
/// The text is the same on every call, so the server's plan and Npgsql's automatic preparation are reused.
/// </summary>
[InterpolatedStringHandler]
public sealed class SqlText
{
    private readonly StringBuilder _text;
    private readonly List<(object Value, NpgsqlDbType? Type)> _values;
    private readonly List<Range> _places = [];

    public SqlText(int literalLength, int formattedCount)
    {
        _text = new StringBuilder(literalLength + (formattedCount * 4));
        _values = new List<(object, NpgsqlDbType?)>(formattedCount);
    }

    internal string Text => _text.ToString();

    public void AppendLiteral(string literal) => _text.Append(literal);

    /// <summary>
    /// A value, or a piece of SQL with values of its own, such as one of several conditions. Told apart by the type of what is given: an overload would take
    /// a string that is put together within the braces for SQL.
    /// </summary>
    public void AppendFormatted<T>(T value)
    {
        if (value is SqlText piece)
        {
            AppendPiece(piece);
            return;
        }

        Add(value is null ? (DBNull.Value, TypeOfNull(typeof(T))) : (value, null));
    }

    /// <summary>New ones every time: a parameter belongs to one command, and a statement may be sent again.</summary>
    internal NpgsqlParameter[] NewParameters() => [.. _values.Select(value => value.Type is { } type
        ? new NpgsqlParameter { Value = value.Value, NpgsqlDbType = type }
        : new NpgsqlParameter { Value = value.Value })];

    private void AppendPiece(SqlText piece)
    {
        var from = 0;
        foreach (var (index, place) in piece._places.Index())
        {
            _text.Append(piece._text, from, place.Start.Value - from);
            Add(piece._values[index]);
            from = place.End.Value;
        }

        _text.Append(piece._text, from, piece._text.Length - from);
    }

    private void Add((object Value, NpgsqlDbType? Type) value)
    {
        _values.Add(value);
        var start = _text.Length;
        _text.Append('$').Append(_values.Count);
        _places.Add(start.._text.Length);
    }

    // A null without a type keeps a statement from being prepared, and makes it another statement than the one with a value.
    private static NpgsqlDbType TypeOfNull(Type type) => (Nullable.GetUnderlyingType(type) ?? type) switch
    {
        var known when known == typeof(string) => NpgsqlDbType.Text,
        var known when known == typeof(Guid) => NpgsqlDbType.Uuid,
        var known when known == typeof(int) => NpgsqlDbType.Integer,
        var known when known == typeof(byte[]) => NpgsqlDbType.Bytea,
        var known when known == typeof(TimeSpan) => NpgsqlDbType.Interval,
        var known when known == typeof(DateTimeOffset) => NpgsqlDbType.TimestampTz,
        var other => throw new NotSupportedException($"Say here which type of the database a null {other.Name} has."),
    };
}

/// <summary>A statement of a batch, and what reads each of its rows.</summary>
/// <param name="Sql">The statement.</param>
/// <param name="Read">Called once a row.</param>
public sealed record SqlStep(SqlText Sql, Action<NpgsqlDataReader> Read);

/// <summary>
/// Runs <see cref="SqlText"/>: one round trip a call. What the database undid because it conflicted with another transaction is run again
/// (<see cref="Conflicts"/>).
/// </summary>
public static class Sql
{
    /// <summary>Runs one statement and reads its rows. A statement outside a transaction is its own commit.</summary>
    public static async Task<List<T>> QueryAsync<T>(
        this AriyaDatabase db, SqlText sql, Func<NpgsqlDataReader, T> read, CancellationToken cancellationToken)
    {
        return await Conflicts.RetryAsync(db, async () =>
        {
            await using var lease = await db.LeaseAsync(cancellationToken);
            await using var command = Command(lease.Connection, sql);
            await using var reader = await command.ExecuteReaderAsync(CommandBehavior.Default, cancellationToken);
            var rows = new List<T>();
            while (await reader.ReadAsync(cancellationToken))
            {
                rows.Add(read(reader));
            }

            return rows;
        }, cancellationToken);
    }

    /// <summary>Runs one statement and reads at most one row; a default value when there is none.</summary>
    public static async Task<T?> QueryFirstAsync<T>(
        this AriyaDatabase db, SqlText sql, Func<NpgsqlDataReader, T> read, CancellationToken cancellationToken)
    {
        return (await db.QueryAsync(sql, read, cancellationToken)).FirstOrDefault();
    }

    /// <summary>Runs one statement; the number of rows it touched.</summary>
    public static async Task<int> ExecuteAsync(this AriyaDatabase db, SqlText sql, CancellationToken cancellationToken)
    {
        return await Conflicts.RetryAsync(db, async () =>
        {
            await using var lease = await db.LeaseAsync(cancellationToken);
            await using var command = Command(lease.Connection, sql);
            return await command.ExecuteNonQueryAsync(cancellationToken);
        }, cancellationToken);
    }

    /// <summary>
    /// Runs statements in one round trip and one commit, or none of them, and reads the rows of the last. A batch is one
    /// implicit transaction; each statement sees what the ones before it did and what others committed meanwhile. Every
    /// statement answers rows, if need be by <c>returning</c>: without a result set the ones after it could not be told apart.
    /// </summary>
    public static async Task<List<T>> QueryBatchAsync<T>(
        this AriyaDatabase db, IReadOnlyList<SqlText> statements, Func<NpgsqlDataReader, T> read, CancellationToken cancellationToken)
    {
        return await Conflicts.RetryAsync(db, async () =>
        {
            var rows = new List<T>();
            await db.BatchAsync(
                [.. statements.Select((sql, index) => new SqlStep(sql, row =>
                {
                    if (index == statements.Count - 1)
                    {
                        rows.Add(read(row));
                    }
                }))],
                cancellationToken);
            return rows;
        }, cancellationToken);
    }

    /// <summary>
    /// As <see cref="QueryBatchAsync"/>, with the rows of every statement handed to its own reader. Not repeated after a conflict:
    /// its readers have seen rows.
    /// </summary>
    public static async Task BatchAsync(this AriyaDatabase db, IReadOnlyList<SqlStep> steps, CancellationToken cancellationToken)
    {
        await using var lease = await db.LeaseAsync(cancellationToken);
        await using var batch = new NpgsqlBatch(lease.Connection);
        foreach (var step in steps)
        {
            var command = new NpgsqlBatchCommand(step.Sql.Text);
            command.Parameters.AddRange(step.Sql.NewParameters());
            batch.BatchCommands.Add(command);
        }

        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        foreach (var (index, step) in steps.Index())
        {
            if (index > 0 && !await reader.NextResultAsync(cancellationToken))
            {
                throw new InvalidOperationException("A statement of this batch has no result set: end it with returning.");
            }

            while (await reader.ReadAsync(cancellationToken))
            {
                step.Read(reader);
            }
        }

        // An error of the commit itself comes after the last row.
        await reader.NextResultAsync(cancellationToken);
    }

    /// <summary>The value of a column that may be null.</summary>
    public static T? GetNullable<T>(this NpgsqlDataReader reader, string column)
    {
        var ordinal = reader.GetOrdinal(column);
        return reader.IsDBNull(ordinal) ? default : reader.GetFieldValue<T>(ordinal);
    }

    /// <summary>The value of a column that is never null.</summary>
    public static T Get<T>(this NpgsqlDataReader reader, string column) => reader.GetFieldValue<T>(reader.GetOrdinal(column));

    private static NpgsqlCommand Command(NpgsqlConnection connection, SqlText sql)
    {
#pragma warning disable CA2100 // The text is made of literals of the program: SqlText turns every value into a parameter.
        var command = new NpgsqlCommand(sql.Text, connection);
#pragma warning restore CA2100
        command.Parameters.AddRange(sql.NewParameters());
        return command;
    }
}
