using Ariya.Hosting.Local.Processes;
using Ariya.Hosting.Local.Servers;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace Ariya.Hosting.Local.Orchestration;

/// <summary>How the process of a resource is started: a project's assembly, a program, or the server that an image stands for.</summary>
internal sealed class StartCommand(DataFolders folders, ResourceLoggerService consoles)
{
    public static ServerRunner RunnerOf(ContainerResource container)
    {
        var image = container.Last<ContainerImageAnnotation>()?.FullName
            ?? throw new DistributedApplicationException($"'{container.Name}' has no image.");
        return ServerRunner.Find(image) ?? throw new DistributedApplicationException(
            $"'{container.Name}' is a container ({image}), and there is no local server for that image. Build with UseAspire=true"
            + $" and a container engine, or give ConnectionStrings__{container.Name}.");
    }

    /// <summary>The variables that the model gives the resource, and the process with them.</summary>
    public async Task<(IReadOnlyDictionary<string, string> Given, ChildProcessStart Start)> ForAsync(
        IResource resource, CancellationToken cancellationToken)
    {
        void Log(string line, bool isError) => consoles.Append(resource.Name, line, isError);

        var given = await ChildEnvironment.OfAsync(resource, cancellationToken);
        var arguments = await ChildEnvironment.ArgumentsOfAsync(resource, cancellationToken);
        if (resource is ContainerResource container)
        {
            var context = new ServerContext
            {
                Environment = given,
                Arguments = arguments,
                Ports = container.All<EndpointAnnotation>().Where(e => e.TargetPort is not null)
                    .ToDictionary(e => e.TargetPort!.Value, e => e.AllocatedEndpoint!.Port),
                DataDirectory = folders.Of(container),
                IsPersistent = DataFolders.IsKept(container),
                Log = (line, isError) => consoles.Append(resource.Name, line, isError, isProgress: true),
                OnLine = Log,
            };
            return (given, await RunnerOf(container).PrepareAsync(context, cancellationToken));
        }

        var (fileName, directory) = resource switch
        {
            ExecutableResource executable => (executable.Command, executable.WorkingDirectory),
            _ => (Executables.Dotnet, Path.GetDirectoryName(resource.Last<ProjectAssemblyAnnotation>()!.ProjectPath)!),
        };
        if (resource.Last<ProjectAssemblyAnnotation>()?.AssemblyPath is { } assembly)
        {
            arguments = ["exec", assembly, .. arguments];
            if (!File.Exists(assembly))
            {
                throw new DistributedApplicationException($"{assembly} is missing: build the AppHost again.");
            }
        }

        var environment = ChildEnvironment.InheritedFrom(Environment.GetEnvironmentVariables());
        foreach (var (name, value) in given)
        {
            environment[name] = value;
        }

        return (given, new ChildProcessStart
        {
            FileName = fileName,
            Arguments = arguments,
            WorkingDirectory = directory,
            Environment = environment,
            OnLine = Log,
        });
    }
}
