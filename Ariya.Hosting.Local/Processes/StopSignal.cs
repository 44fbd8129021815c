namespace Ariya.Hosting.Local.Processes;

/// <summary>What asks a process to end. PostgreSQL takes Terminate for "wait until every client has gone".</summary>
internal enum StopSignal
{
    Terminate,
    Interrupt,
    Quit,
}
